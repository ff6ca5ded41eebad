"""Fuzzes the readers of files: ``python -m fuzz.run --mutations 200`` in ``tests``.

Every failing file is kept in ``--out`` with what was said; ``--again`` with that folder reads them once more.
"""

import argparse
import gc
import io
import json
import os
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from time import monotonic
from typing import Any

import torch

import auglocal_mm  # noqa: F401  (before MMDetection is imported)
from fuzz.mutations import Mutant
from fuzz.sandbox import Reading, isolated
from fuzz.targets import Sample, Target, all_targets
from fuzz.world import make_world

HARMLESS = ('right', 'refused', 'told', 'plausible')
FAILURES = ('SILENT', 'ALARM', 'TRACEBACK', 'HANG', 'MEMORY', 'CODE')
"""Read as something else without a word; refused though it means the same; and as in :class:`Reading`."""

SAID = 'said.json'
Trial = tuple[int, Sample, Mutant]
"""The index of a mutant in its run, the clean file and the mutant."""


@dataclass(frozen=True)
class Outcome:
    """What became of one mutant."""

    target: str
    index: int
    mutant: Mutant
    sample: str
    verdict: str
    reading: Reading
    clean: Reading

    @property
    def detail(self) -> str:
        """What differs, or what was said last."""
        if self.reading.end == 'done' and self.reading.result != self.clean.result:
            return first_difference(self.clean.result, self.reading.result)
        return self.reading.last_line

    def __str__(self) -> str:
        return f'{self.target} {self.index} {self.mutant.name} of {self.sample}: {self.verdict}: {self.detail}'


def mutants(target: Target, samples: Sequence[Sample], seed: int, number: int) -> Iterator[Trial]:
    """Every mutation has its turn, at a place that seed and index alone determine."""
    for index in range(number):
        rng = random.Random(f'{seed} {target.name} {index}')
        sample = samples[index % len(samples)]
        order = random.Random(f'{seed} {target.name} {sample.name}').sample(sample.mutators, len(sample.mutators))
        yield index, sample, order[index // len(samples) % len(order)](rng, sample.content)


def kept_mutants(target: Target, samples: Sequence[Sample], folder: Path) -> Iterator[Trial]:
    """The files that failed before."""
    by_name = {sample.name: sample for sample in samples}
    for path in sorted(folder.glob(f'{target.name}/*/{SAID}')):
        said = json.loads(path.read_text())
        sample = by_name[said['sample']]
        mutant = Mutant(said['mutation'], (path.parent / sample.name).read_bytes(), said['harmless'])
        yield int(path.parent.name), sample, mutant


def judge(target: Target, sample: Sample, mutant: Mutant, clean: Reading, reading: Reading) -> str:
    """The verdict on a reading, beside that of the clean file."""
    if reading.end == 'refused':
        return 'ALARM' if mutant.harmless or mutant.content == sample.content else 'refused'
    if reading.end != 'done':
        return reading.end
    if reading.result == clean.result:
        return 'right'
    if target.may_tell and _warnings(reading) - _warnings(clean):
        return 'told'
    return 'plausible' if sample.may_differ(mutant) and not mutant.harmless else 'SILENT'


def first_difference(clean: Any, read: Any, path: str = '') -> str:
    """Where two results differ, and in what."""
    if type(clean) is type(read) and isinstance(clean, dict | list) and len(clean) == len(read):
        keys = clean if isinstance(clean, dict) else range(len(clean))
        if isinstance(read, list) or clean.keys() == read.keys():
            key = next(key for key in keys if clean[key] != read[key])
            return first_difference(clean[key], read[key], f'{path}/{key}')
    if isinstance(clean, dict) and isinstance(read, dict):
        return (
            f'{path or "/"} lacks {sorted(clean.keys() - read.keys())}, has {sorted(read.keys() - clean.keys())} more'
        )
    return f'{path or "/"} is {read!r:.150}, was {clean!r:.150}'


def _warnings(reading: Reading) -> set[str]:
    """The lines of loggers and of Python that warn, whatever numbers and times are in them."""
    lines = (re.sub(r'\d+', '0', line) for line in reading.output.splitlines())
    return {line for line in lines if re.search(r'\bWARNING\b|[A-Z]\w*Warning: ', line)}


def fuzz(target: Target, world: Path, places: Path, trials: Iterable[Trial]) -> Iterator[Outcome]:
    """Reads mutants, and before the first of a clean file that one, which must not be refused either."""
    cleans: dict[str, Reading] = {}
    for index, sample, mutant in trials:
        if sample.name not in cleans:
            clean = cleans[sample.name] = _read(target, world, places / 'clean', sample, sample.content)
            if clean.end != 'done':
                yield Outcome(
                    target.name, index, Mutant('clean', sample.content, True), sample.name, 'ALARM', clean, clean
                )
        if cleans[sample.name].end == 'done':
            reading = _read(target, world, places / 'mutant', sample, mutant.content)
            verdict = judge(target, sample, mutant, cleans[sample.name], reading)
            yield Outcome(target.name, index, mutant, sample.name, verdict, reading, cleans[sample.name])


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
    place = out / outcome.target / str(outcome.index)
    place.mkdir(parents=True, exist_ok=True)
    (place / outcome.sample).write_bytes(outcome.mutant.content)
    told = {'mutation': outcome.mutant.name, 'harmless': outcome.mutant.harmless, 'sample': outcome.sample}
    told |= {'verdict': outcome.verdict, 'detail': outcome.detail, 'output': outcome.reading.output.splitlines()}
    (place / SAID).write_text(json.dumps(told, indent=2))


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    names = [target.name for target in all_targets()]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--mutations', type=int, default=200, help='of each kind of file, for all who read it together')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--only', nargs='+', default=names, help=f'targets, or how they start: {", ".join(names)}')
    parser.add_argument('--again', type=Path, metavar='DIR', help='read the files that an earlier run kept there')
    parser.add_argument('--out', type=Path, default=Path('fuzz_failures'), metavar='DIR', help='for files that fail')
    return parser.parse_args(arguments)


def row(name: str, cells: Iterable[object]) -> str:
    return f'{name:20}' + ''.join(f'{cell:>10}' for cell in cells)


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line and fuzzes; 1 where anything failed."""
    options = parse_arguments(arguments)
    failures = 0
    with tempfile.TemporaryDirectory(prefix='fuzz-') as folder:
        world = build_world(Path(folder))
        print(row('', (*HARMLESS, *FAILURES, 'seconds')), flush=True)
        for target in (each for each in all_targets() if each.name.startswith(tuple(options.only))):
            counts, started, samples = Counter(), monotonic(), target.samples(world)
            made = mutants(target, samples, options.seed, max(1, round(options.mutations * target.share)))
            trials = kept_mutants(target, samples, options.again) if options.again else made
            for outcome in fuzz(target, world, Path(folder), trials):
                counts[outcome.verdict] += 1
                if outcome.verdict in FAILURES:
                    keep(outcome, options.out)
                    print(f'  {outcome}'[:300], file=sys.stderr, flush=True)
            failures += sum(counts[verdict] for verdict in FAILURES)
            numbers = [counts[verdict] for verdict in (*HARMLESS, *FAILURES)]
            print(row(target.name, (*numbers, round(monotonic() - started))), flush=True)
    return int(failures > 0)


if __name__ == '__main__':
    sys.exit(main())
