"""Which checkpoint to go on from, and whether it fits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from auglocal_mm.errors import InputError
from auglocal_mm.load_weights import select_weights


def latest_checkpoint(work_dir: str) -> str | None:
    """The newest checkpoint in ``work_dir``, also where ``last_checkpoint`` was not written to its end.

    Returns:
        Its path, or ``None`` where there is none yet.
    """
    pointer = Path(work_dir) / 'last_checkpoint'
    if pointer.is_file():
        named = Path(pointer.read_text(encoding='utf-8', errors='replace').strip() or work_dir)
        for candidate in (named, Path(work_dir) / named.name):  # the second: the work_dir was moved
            if candidate.is_file():
                return str(candidate)
    numbered = [path for path in Path(work_dir).glob('*_*.pth') if path.stem.split('_')[-1].isdigit()]
    return str(max(numbered, key=lambda path: int(path.stem.split('_')[-1]))) if numbered else None


def check_resumable(model: nn.Module, checkpoint: Mapping[str, Any], source: str) -> None:
    """Makes sure that a training of ``model`` can go on from ``checkpoint``.

    Raises:
        InputError: It holds weights alone, or those of another network or rule.
    """
    needed = {'meta', 'state_dict', 'optimizer', 'message_hub'}
    if not needed <= set(checkpoint) or not {'epoch', 'iter'} <= set(checkpoint['meta']):
        raise InputError(
            f'{source} holds weights without the state of a training; resume from an epoch_N.pth of the work_dir, or start '
            'from these weights with load_from'
        )
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    theirs = {name: tuple(getattr(value, 'shape', ())) for name, value in checkpoint['state_dict'].items()}
    if own != theirs:
        wrong = min(name for name in own.keys() | theirs.keys() if own.get(name) != theirs.get(name))
        raise InputError(
            f'{source} is of another network or rule than the config: {wrong} is {theirs.get(wrong, "missing")} there and '
            f'{own.get(wrong, "missing")} in the model; resume with the config that it was trained with'
        )
    select_weights(model, checkpoint, source)  # refuses numbers that no network can run with
