"""What is tested: a kind of file, how a right one is made, and how it is read."""

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from fuzz.mutations import BYTES, Mutant, Mutator

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Sample:
    """A clean file.

    Attributes:
        name: Of the file.
        content: Of it.
        mutators: What is done to it.
        may_differ: Whether a mutant may be read as something else without a word: it is a right file too, or nothing in it
            tells that it is not.
    """

    name: str
    content: bytes
    mutators: Sequence[Mutator] = BYTES
    may_differ: Callable[[Mutant], bool] = lambda mutant: False


@dataclass(frozen=True)
class Target:
    """A way on which files are read.

    Attributes:
        name: Of the target.
        samples: Makes the clean files, given a folder with the results of :mod:`fuzz.world`.
        read: Reads a file of this name and content in the working directory, and gives what can be compared by ``==``.
        share: Of the mutations asked for, as many are made: those of one kind of file are shared by all who read it.
        short: How many are made in a short run.
        may_tell: Whether a warning will do where a part of the file is left out; else it is to be refused.
    """

    name: str
    samples: Callable[[Path], Sequence[Sample]]
    read: Callable[[Path, str, bytes], Any]
    share: float = 1
    short: int = 5
    may_tell: bool = False


@cache
def tool(path: str) -> ModuleType:
    """A tool of the repository, whose ``main`` is called as the command line would."""
    sys.path[:0] = [str(REPOSITORY / path).rsplit('/', 1)[0]]  # for what stands beside it
    specification = importlib.util.spec_from_file_location(f'fuzzed_{Path(path).stem}', REPOSITORY / path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    sys.path.pop(0)
    return module


def digest(value: Any) -> Any:
    """Tensors as type, shape and hash, also inside of dicts and lists; NaN, which is not equal to itself, as text."""
    if isinstance(value, torch.Tensor):
        # The same numbers in a wider type are the same.
        exact = value.detach().to_dense()
        exact = exact.double() if exact.is_floating_point() else exact
        return f'{list(value.shape)} {hashlib.sha256(exact.contiguous().numpy().tobytes()).hexdigest()[:16]}'
    if isinstance(value, Mapping):
        return {str(key): digest(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [digest(each) for each in value]
    return repr(value) if isinstance(value, float) else value


def by_content(is_right: Callable[[bytes], bool]) -> Callable[[Mutant], bool]:
    """What is right as a file of its kind may be read as something else."""
    return lambda mutant: is_right(mutant.content)


def all_targets() -> tuple[Target, ...]:
    """Every target, in the order of the table."""
    from fuzz import annotation_targets, checkpoint_targets, image_targets, page_targets, record_targets

    parts = (checkpoint_targets, record_targets, page_targets, annotation_targets, image_targets)
    return tuple(target for part in parts for target in part.TARGETS)
