"""Mutations of dumped configs, which are Python in looks and data in what they are for."""

import random

from fuzz.mutations import Mutant, Mutator
from fuzz.sandbox import TRAP

LINES = {
    'code': (f"import os\nos.mkdir('{TRAP}')", f"__import__('os').mkdir('{TRAP}')"),
    'code_in_a_value': (f"a = __import__('os').mkdir('{TRAP}')", f"b = [open('{TRAP}', 'w') for _ in (1,)]"),
    'exit': ('raise SystemExit(0)', 'import sys\nsys.exit(0)', 'import os\nos._exit(0)'),
    'inherit': ("_base_ = './nowhere.py'", "_base_ = 'http://localhost:1/x.py'", "_base_ = 'mmdet::_base_/x.py'"),
    'imports': (f"custom_imports = dict(imports=['{TRAP}'])", 'from mmengine.config import read_base'),
    'environment': ("a = '{{$NOWHERE}}'", "a = '{{$HOME:x}}'", "a = '{{ fileDirname }}'", "a = '{{ _base_.model }}'"),
    'endless': ('while True:\n    pass', 'a = 9 ** 9 ** 9', "a = 'x' * 2 ** 33"),
    'deep': ('a = ' + '(' * 500 + ')' * 500, 'a = ' + '-' * 50_000 + '1', 'a = ' + '[' * 90 + ']' * 90),
    'odd_values': ('a = {1, 2}', 'a = {1: 2, None: 3}', 'a = 1j', 'a = ...', "a = b'x'", 'a = lambda: 1', "a = f'{1}'"),
    'again': ("model = 'text'", 'model = []', 'work_dir = 5', 'del model', 'model = None'),
}


def _with_line(name: str) -> Mutator:
    def mutate(rng: random.Random, content: bytes) -> Mutant:
        line = rng.choice(LINES[name]).encode() + b'\n'
        return Mutant(name, rng.choice((line + content, content + line)))

    return mutate


def _without_line(rng: random.Random, content: bytes) -> Mutant:
    lines = content.splitlines(keepends=True)
    del lines[rng.randrange(len(lines))]
    return Mutant('without_line', b''.join(lines))


def _encoding(rng: random.Random, content: bytes) -> Mutant:
    prefix = rng.choice(
        (b'\xef\xbb\xbf', '# coding: latin-1\n# é\n'.encode('latin-1'), b'# coding: nothing\n', b'#\xff\n')
    )
    return Mutant('encoding', prefix + content)


SOURCE: tuple[Mutator, ...] = (*map(_with_line, LINES), _without_line, _encoding)
