"""Which checkpoint to resume from, and whether it fits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from torch import nn

from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there, write_text
from auglocal_mm.files.json_file import fit
from auglocal_mm.weights.checkpoint_file import readable
from auglocal_mm.weights.load_weights import select_weights

NONE_YET = 'none yet: the checkpoints here are of an earlier training'
"""In ``last_checkpoint``, from the start of a training in a used work_dir to its first checkpoint."""


class OptimizerState(BaseModel):
    """State of a PyTorch optimizer: tensors by the index of their parameter, and settings."""

    state: dict[int, dict[str, Any]] = {}
    param_groups: list[dict[str, Any]]


def latest_checkpoint(work_dir: str, out_dir: str | None = None) -> str | None:
    """The newest checkpoint of a training, even if ``last_checkpoint`` is incomplete.

    Args:
        work_dir: Of the training.
        out_dir: Folder of its checkpoints, ``default_hooks.checkpoint.out_dir``; by default the work_dir.

    Returns:
        Its path, or ``None`` if there is none yet.

    Raises:
        InputError: ``last_checkpoint`` is not a regular file, or cannot be read.
    """
    folder, elsewhere = Path(work_dir), Path(out_dir or work_dir)
    if elsewhere != folder:
        folder = elsewhere / folder.resolve().name  # as MMEngine's CheckpointHook
    pointer = Path(work_dir) / 'last_checkpoint'
    if is_there(pointer):
        with readable(pointer):
            text = pointer.read_text(encoding='utf-8', errors='replace').strip()
        if text == NONE_YET:
            return None
        named = Path(text)
        # The path is absolute: after a move it may be another training's, unless checkpoints are kept elsewhere.
        places = [folder / named.name] + ([named] if out_dir and named.is_relative_to(elsewhere.absolute()) else [])
        for place in places:
            if place.is_file():
                return str(place)
    numbered = [
        path
        for path in folder.glob('*_*.pth')
        if path.stem.split('_')[-1].isdecimal() and not path.name.startswith('best_')
    ]
    return str(max(numbered, key=lambda path: int(path.stem.split('_')[-1]))) if numbered else None


def begin_anew(work_dir: str) -> None:
    """Keeps checkpoints of an earlier training in ``work_dir`` from being resumed from by a new one that is cut off."""
    pointer = Path(work_dir, 'last_checkpoint')
    if pointer.is_file() or latest_checkpoint(work_dir):
        write_text(pointer, NONE_YET)


def check_resumable(model: nn.Module, checkpoint: Mapping[str, Any], source: str) -> None:
    """Checks that a training of ``model`` can be resumed from ``checkpoint``.

    Raises:
        InputError: It contains only weights, those of another network or local learning method, or no optimizer state.
    """
    if not {'meta', 'state_dict', 'optimizer'} <= set(checkpoint):
        raise InputError(
            f'{source} contains weights without the state of a training; resume from an epoch_N.pth of the work_dir, or '
            'start from these weights with load_from'
        )
    name, advice = f'optimizer of {source}', 'resume from an earlier checkpoint'
    saved = fit(checkpoint['optimizer'], dict[str, Any], name, advice)
    for each in [saved] if 'param_groups' in saved else saved.values():  # of the model, or of every local module
        fit(each, OptimizerState, name, advice)
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    theirs = {name: tuple(getattr(value, 'shape', ())) for name, value in checkpoint['state_dict'].items()}
    if own != theirs:
        wrong = min(name for name in own.keys() | theirs.keys() if own.get(name) != theirs.get(name))
        raise InputError(
            f'{source} does not have the network and local learning method of the config: {wrong} is '
            f'{theirs.get(wrong, "missing")} there and {own.get(wrong, "missing")} in the model; resume with the config that '
            'it was trained with'
        )
    select_weights(model, checkpoint, source)  # refuses values that no network can run with
