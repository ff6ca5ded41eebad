"""Fuzzes the readers of files: ``python -m fuzz.run --mutations 200`` in ``tests``.

Every failing file is kept in ``--out`` with its output; ``--only <target> --index <number>`` reads it once more.
"""

import argparse
import gc
import io
import os
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from time import monotonic

import torch

import auglocal_mm  # noqa: F401  (before MMDetection is imported)
from fuzz.mutations import Mutant
from fuzz.sandbox import Reading, isolated
from fuzz.targets import Sample, Target, all_targets
from fuzz.world import make_world

HARMLESS = ('right', 'refused', 'told', 'plausible')
FAILURES = ('SILENT', 'ALARM', 'TRACEBACK', 'HANG', 'MEMORY', 'CODE')
"""Read as something else without a word; refused though it means the same; and as in :class:`Reading`."""


@dataclass(frozen=True)
class Outcome:
    """What became of one mutant."""

    target: str
    index: int
    mutant: Mutant
    sample: str
    verdict: str
    reading: Reading

    def __str__(self) -> str:
        said = f': {self.reading.last_line}' if self.reading.last_line else ''
        return f'{self.target} {self.index} {self.mutant.name} of {self.sample}: {self.verdict}{said}'


def mutant_of(target: Target, samples: Sequence[Sample], seed: int, index: int) -> tuple[Sample, Mutant]:
    """The mutant of an index: every mutation has its turn, at a place that seed and index alone determine."""
    rng = random.Random(f'{seed} {target.name} {index}')
    sample = samples[index % len(samples)]
    order = random.Random(f'{seed} {target.name} {sample.name}').sample(sample.mutators, len(sample.mutators))
    return sample, order[index // len(samples) % len(order)](rng, sample.content)


def judge(sample: Sample, mutant: Mutant, clean: Reading, reading: Reading) -> str:
    """The verdict on a reading, beside that of the clean file."""
    if reading.end == 'refused':
        return 'ALARM' if mutant.harmless or mutant.content == sample.content else 'refused'
    if reading.end != 'done':
        return reading.end
    if reading.result == clean.result:
        return 'right'
    if _warnings(reading) - _warnings(clean):
        return 'told'
    return 'plausible' if sample.may_differ(mutant) and not mutant.harmless else 'SILENT'


def _warnings(reading: Reading) -> set[str]:
    """The lines of loggers and of Python that warn, whatever numbers and times are in them."""
    lines = (re.sub(r'\d+', '0', line) for line in reading.output.splitlines())
    return {line for line in lines if re.search(r'\bWARNING\b|[A-Z]\w*Warning: ', line)}


def fuzz(target: Target, world: Path, places: Path, seed: int, indices: Sequence[int]) -> Iterator[Outcome]:
    """Reads the mutants of these indices, and the clean files first.

    Raises:
        RuntimeError: A clean file is not read: nothing can be said of its mutants.
    """
    samples, cleans = target.samples(world), {}
    for number in indices:
        sample, mutant = mutant_of(target, samples, seed, number)
        if sample.name not in cleans:
            cleans[sample.name] = _read(target, world, places / 'clean', sample, sample.content)
        clean = cleans[sample.name]
        if clean.end != 'done':
            yield Outcome(target.name, number, Mutant('clean', sample.content), sample.name, 'ALARM', clean)
            continue
        reading = _read(target, world, places / 'mutant', sample, mutant.content)
        verdict = judge(sample, mutant, clean, reading)
        yield Outcome(target.name, number, mutant, sample.name, verdict, reading)


def _read(target: Target, world: Path, place: Path, sample: Sample, content: bytes) -> Reading:
    """At the same place each time, so that messages and results that name it are the same."""
    try:
        return isolated(lambda: target.read(world, sample.name, content), place)
    finally:
        rmtree(place, ignore_errors=True)


def build_world(root: Path) -> Path:
    """The clean files.

    They are made in this process, which so imports what the readings need: they start from a copy of it.
    """
    torch.set_num_threads(1)
    before = Path.cwd()
    root.mkdir(exist_ok=True)
    os.chdir(root)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(sys.stdout):
            make_world(root / 'world')
    finally:
        os.chdir(before)
    gc.collect()
    gc.freeze()  # so that a reading does not copy all memory as it counts references
    return root / 'world'


def keep(outcome: Outcome, out: Path) -> None:
    """Writes a failing file, and what was said about it."""
    out.mkdir(parents=True, exist_ok=True)
    stem = f'{outcome.target}-{outcome.index}-{outcome.mutant.name}-{outcome.verdict}'
    (out / f'{stem}-{outcome.sample}').write_bytes(outcome.mutant.content)
    (out / f'{stem}.txt').write_text(f'{outcome}\n\n{outcome.reading.output}\n')


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line and fuzzes; 1 where anything failed."""
    names = [target.name for target in all_targets()]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--mutations', type=int, default=200, help='for each target; a share of them where one takes long'
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--only', nargs='+', default=names, metavar='TARGET', help=f'some of {", ".join(names)}')
    parser.add_argument('--index', type=int, nargs='+', help='only these mutations')
    parser.add_argument('--out', type=Path, default=Path('fuzz_failures'), help='folder for files that failed')
    options = parser.parse_args(arguments)
    chosen = [target for target in all_targets() if any(target.name.startswith(name) for name in options.only)]
    os.environ['OMP_NUM_THREADS'] = '1'
    failed = False
    with tempfile.TemporaryDirectory(prefix='fuzz-') as folder:
        world = build_world(Path(folder))
        print(f'{"":20}' + ''.join(f'{verdict:>10}' for verdict in (*HARMLESS, *FAILURES, 'seconds')), flush=True)
        for target in chosen:
            counts, started = Counter(), monotonic()
            indices = options.index or range(max(1, round(options.mutations * target.share)))
            for outcome in fuzz(target, world, Path(folder), options.seed, indices):
                counts[outcome.verdict] += 1
                if outcome.verdict in FAILURES:
                    failed = True
                    keep(outcome, options.out)
                    print(f'  {outcome}'[:300], file=sys.stderr, flush=True)
            numbers = [*(counts[verdict] for verdict in (*HARMLESS, *FAILURES)), round(monotonic() - started)]
            print(f'{target.name:20}' + ''.join(f'{number:>10}' for number in numbers), flush=True)
    return int(failed)


if __name__ == '__main__':
    sys.exit(main())
