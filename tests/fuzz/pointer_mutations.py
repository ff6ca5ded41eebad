"""Mutations of ``last_checkpoint``, a file with a path."""

import random

from auglocal_mm.engine.checkpoint import NONE_YET
from fuzz.mutations import Mutant, Mutator

OTHERS = {
    'other_training': ('{root}/other/epoch_1.pth', '{root}/other/epoch_2.pth', '../other/epoch_2.pth'),
    'no_checkpoint': (
        '',
        '.',
        '..',
        '/',
        '~',
        '\n',
        '/dev/zero',
        '/etc/passwd',
        'backbone.pth',
        'epoch_.pth',
        '{root}',
    ),
    'odd_path': ('a' * 300, 'a/' * 3000, 'epoch_1.pth\0', '\0', '\udcff', 'ключ.pth', 's3://bucket/epoch_1.pth'),
    'two_lines': ('{root}/other/epoch_2.pth\n{root}/trained/epoch_1.pth',),
    'none_yet': (NONE_YET, f'{NONE_YET}\n'),
}


def _becomes(name: str) -> Mutator:
    def mutate(rng: random.Random, content: bytes) -> Mutant:
        root = content.decode().removesuffix('/trained/epoch_1.pth')
        text = rng.choice(OTHERS[name]).replace('{root}', root)
        return Mutant(name, text.encode('utf-8', 'surrogateescape'))

    return mutate


def _blanks(rng: random.Random, content: bytes) -> Mutant:
    return Mutant('blanks', rng.choice((content + b'\n', b' ' + content, content + b'\r\n')), harmless=True)


def _encoding(rng: random.Random, content: bytes) -> Mutant:
    return Mutant('encoding', content.decode().encode(rng.choice(('utf-16', 'utf-8-sig', 'utf-32'))))


POINTER: tuple[Mutator, ...] = (*map(_becomes, OTHERS), _blanks, _encoding)
