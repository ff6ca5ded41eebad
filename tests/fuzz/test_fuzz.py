"""A short fuzz run, and whether a long one would notice what it looks for."""

import mmap
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from auglocal_mm.errors import InputError
from fuzz import sandbox
from fuzz.mutations import Mutant
from fuzz.run import FAILURES, build_world, first_difference, fuzz, judge, mutants
from fuzz.sandbox import Reading, isolated
from fuzz.targets import Sample, Target, all_targets

CLEAN = Reading('done', 1, 'Epoch 1\n')


@pytest.fixture(scope='module')
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The clean files; the tools that make them change the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '0')
        yield build_world(tmp_path_factory.mktemp('fuzz'))


@pytest.mark.parametrize('target', all_targets(), ids=lambda target: target.name)
def test_mutated_files_are_read_rightly_or_refused(target: Target, world: Path, tmp_path: Path) -> None:
    """``python -m fuzz.run --only <target>`` in ``tests``, whose first mutants these are, keeps the failing files."""
    outcomes = fuzz(target, world, tmp_path, mutants(target, target.samples(world), 0, target.short))
    assert [str(outcome) for outcome in outcomes if outcome.verdict in FAILURES] == []


@pytest.mark.parametrize('target', all_targets(), ids=lambda target: target.name)
def test_mutants_are_told_by_their_seed(target: Target, world: Path) -> None:
    first, again, other = (
        [mutant for _, _, mutant in mutants(target, target.samples(world), seed, 3)] for seed in (5, 5, 6)
    )
    assert first == again
    assert first != other


def refuse() -> None:
    raise InputError('a sentence')


def exit_without_a_word() -> None:
    raise SystemExit(0)


def be_hostile() -> None:
    os.mkdir(sandbox.TRAP)


def take_memory() -> None:
    """A GiB of new memory, also where this process has freed as much and kept it, as training on a CPU does."""
    memory = mmap.mmap(-1, 2**30)
    for page in range(0, len(memory), mmap.PAGESIZE):
        memory[page] = 1


@pytest.mark.parametrize(
    ('read', 'end'),
    [
        (lambda: 5, 'done'),
        (refuse, 'refused'),
        (exit_without_a_word, 'TRACEBACK'),
        (lambda: 1 / 0, 'TRACEBACK'),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), 'TRACEBACK'),
        (lambda: os._exit(0), 'TRACEBACK'),
        (lambda: time.sleep(600), 'HANG'),
        (take_memory, 'MEMORY'),
        (be_hostile, 'CODE'),
    ],
)
def test_the_end_of_a_reading(read, end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, 'SECONDS', 1 if end == 'HANG' else 60)
    monkeypatch.setattr(sandbox, 'MEMORY', 2**27)
    assert isolated(read, tmp_path / 'place').end == end


def test_what_differs_is_said() -> None:
    assert first_difference({'a': [1, {'b': 2}]}, {'a': [1, {'b': 3}]}) == '/a/1/b is 3, was 2'
    assert first_difference({'a': {'b': 2}}, {'a': {'c': 3}}) == "/a lacks ['b'], has ['c'] more"
    assert first_difference([1, 2], [1]) == '/ is [1], was [1, 2]'


@pytest.mark.parametrize(
    ('mutant', 'reading', 'verdict'),
    [
        (Mutant('x', b'b'), CLEAN, 'right'),
        (Mutant('x', b'b'), Reading('done', 2, 'Epoch 1\n'), 'SILENT'),
        (Mutant('may', b'b'), Reading('done', 2, 'Epoch 1\n'), 'plausible'),
        (Mutant('may', b'b', harmless=True), Reading('done', 2, 'Epoch 1\n'), 'SILENT'),
        (Mutant('x', b'b'), Reading('done', 2, 'mmengine - WARNING - 3 boxes are dropped\n'), 'told'),
        (Mutant('x', b'b'), Reading('refused', None, 'error: no\n'), 'refused'),
        (Mutant('x', b'b', harmless=True), Reading('refused', None, 'error: no\n'), 'ALARM'),
        (Mutant('x', b'b'), Reading('HANG', None, ''), 'HANG'),
    ],
)
def test_the_verdict_on_a_reading(mutant: Mutant, reading: Reading, verdict: str) -> None:
    sample = Sample('file', b'a', may_differ=lambda mutant: mutant.name == 'may')
    target = Target('x', lambda world: [sample], lambda *file: None, may_tell=True)
    assert judge(target, sample, mutant, CLEAN, reading) == verdict
