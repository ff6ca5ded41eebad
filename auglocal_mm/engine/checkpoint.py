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
        named = Path(pointer.read_text(encoding='utf-8', errors='replace').strip() or work_dir)
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
    wrong = [name for name, value in needed.items() if getattr(state.get(name), 'shape', None) != value.shape]
    if len(wrong) == len(needed):
        raise InputError(
            f'{source} has none of the weights of a {type(model).__name__}: it is a backbone file, or the checkpoint of another '
            'kind of model; give an epoch_N.pth of a training with this config'
        )
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
    own = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    theirs = {name: tuple(getattr(value, 'shape', ())) for name, value in checkpoint['state_dict'].items()}
    if own != theirs:
        wrong = min(name for name in own.keys() | theirs.keys() if own.get(name) != theirs.get(name))
        raise InputError(
            f'{source} is of another network or rule than the config: {wrong} is {theirs.get(wrong, "missing")} there and '
            f'{own.get(wrong, "missing")} in the model; resume with the config that it was trained with'
        )


def check_start(model: nn.Module, checkpoint: Mapping[str, Any], source: str) -> None:
    """Makes sure that ``load_from`` gives ``model`` its whole backbone; MMEngine would leave what does not fit random.

    Raises:
        InputError: Weights of the backbone are missing or of another shape.
    """
    state = {name.removeprefix('module.'): value for name, value in checkpoint.get('state_dict', checkpoint).items()}
    needed = {
        name: value.shape
        for name, value in model.state_dict().items()
        if name.startswith('backbone.') and not name.endswith('num_batches_tracked')
    }
    wrong = [name for name, shape in needed.items() if getattr(state.get(name), 'shape', None) != shape]
    if wrong:
        raise InputError(
            f'load_from={source} does not cover the backbone: {len(wrong)} of {len(needed)} weights are missing or of another '
            f'shape, the first is {wrong[0]}; give a checkpoint of this model, or a backbone file by '
            "backbone.init_cfg=dict(type='Pretrained', checkpoint=...)"
        )
