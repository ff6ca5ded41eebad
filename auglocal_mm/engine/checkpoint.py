"""Which checkpoint to go on from, and whether it fits."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from auglocal_mm.backbone_file import resnet_architecture
from auglocal_mm.errors import InputError


def latest_checkpoint(work_dir: str) -> str | None:
    """The newest checkpoint in ``work_dir``, also where ``last_checkpoint`` was not written to its end.

    Returns:
        Its path, or ``None`` where there is none yet.
    """
    pointer = Path(work_dir) / 'last_checkpoint'
    if pointer.is_file():
        named = Path(pointer.read_text(encoding='utf-8').strip() or work_dir)
        for candidate in (named, Path(work_dir) / named.name):  # the second: the work_dir was moved
            if candidate.is_file():
                return str(candidate)
    numbered = [path for path in Path(work_dir).glob('*_*.pth') if path.stem.split('_')[-1].isdigit()]
    return str(max(numbered, key=lambda path: int(path.stem.split('_')[-1]))) if numbered else None


def check_checkpoint(model: nn.Module, checkpoint: Mapping[str, Any], source: str) -> None:
    """Makes sure that ``checkpoint`` holds every weight of ``model``; auxiliary heads may be missing.

    Raises:
        InputError: Weights are missing or of another shape.
    """
    state = checkpoint.get('state_dict', checkpoint)
    needed = {name: value for name, value in model.state_dict().items() if not name.startswith('auxiliary_heads.')}
    wrong = [name for name, value in needed.items() if name not in state or state[name].shape != value.shape]
    if wrong:
        backbones = [
            resnet_architecture({name.removeprefix('backbone.'): None for name in names}) for names in (state, needed)
        ]
        raise InputError(
            f'{source} ({backbones[0]}) does not fit the model ({backbones[1]}): {len(wrong)} of {len(needed)} weights are '
            f'missing or of another shape, the first is {wrong[0]}; use the config that it was trained with'
        )


def check_resumable(model: nn.Module, checkpoint: Mapping[str, Any], source: str) -> None:
    """Makes sure that a training of ``model`` can go on from ``checkpoint``.

    Raises:
        InputError: It holds weights alone, or those of another network or rule.
    """
    if not {'meta', 'state_dict', 'optimizer'} <= set(checkpoint):
        raise InputError(
            f'{source} holds weights without the state of a training; resume from an epoch_N.pth of the work_dir, or start '
            'from these weights with load_from'
        )
    own, theirs = set(model.state_dict()), set(checkpoint['state_dict'])
    if own != theirs:
        only = f'it lacks {min(own - theirs)}' if own - theirs else f'the model lacks its {min(theirs - own)}'
        raise InputError(
            f'{source} is of another network or rule than the config: {len(own ^ theirs)} weights are in one alone, {only}; '
            'resume with the config that it was trained with'
        )
