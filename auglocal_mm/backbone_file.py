"""The backbone file: weights in torchvision's names, a description beside them, and loading that reports what matched."""

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from auglocal_mm.backbone_record import BackboneRecord, read_backbone_record
from auglocal_mm.checkpoint_file import read_weights
from auglocal_mm.errors import InputError
from auglocal_mm.files import atomic_write
from auglocal_mm.json_file import fit

CLASSIFIERS = ('fc.', 'classifier.')
RESNET_DEPTHS = {
    (False, 2, 2, 2, 2): 18,
    (False, 3, 4, 6, 3): 34,
    (True, 3, 4, 6, 3): 50,
    (True, 3, 4, 23, 3): 101,
    (True, 3, 8, 36, 3): 152,
}


@dataclass(frozen=True)
class Coverage:
    """How far a file's keys cover a network: names that match in key and shape, are missing, or are not expected."""

    matched: list[str]
    missing: list[str]
    unexpected: list[str]

    def __str__(self) -> str:
        lines = f'{len(self.matched)} matched, {len(self.missing)} missing, {len(self.unexpected)} unexpected'
        for title, names in (('missing', self.missing), ('unexpected', self.unexpected)):
            lines += f'; {title}: {", ".join(names[:4])}{", ..." if len(names) > 4 else ""}' if names else ''
        return lines


def backbone_weights(weights: Mapping[str, Any]) -> dict[str, Tensor]:
    """The backbone in torchvision's names, with its classifier, from a model's or a backbone's state dict.

    Raises:
        InputError: There are no weights of a backbone.
    """
    state = weights.get('state_dict', weights)
    if any(name.startswith('backbone.') for name in state):
        state = {
            name.removeprefix('backbone.').removeprefix('head.'): value
            for name, value in state.items()
            if name.startswith(('backbone.', *(f'head.{classifier}' for classifier in CLASSIFIERS)))
        }
    # Contiguous, so that the file does not depend on the layout in which the network ran.
    plain = {'memory_format': torch.contiguous_format}
    state = {n: value.detach().cpu().clone(**plain) for n, value in state.items() if isinstance(value, Tensor)}
    if not any(name.startswith(('conv1.', 'stem.', 'layer1.', 'features.')) for name in state):
        raise InputError(
            'the checkpoint holds no backbone: expected keys such as backbone.conv1.weight, conv1.weight or features.0.weight'
        )
    return state


def resnet_architecture(state: Mapping[str, Any]) -> str:
    """``'ResNet-34'`` and so on, from the names of the weights; ``'unknown'`` where they are no plain ResNet's."""
    blocks = {tuple(name.split('.')[:2]) for name in state if name.startswith('layer')}
    counts = tuple(sum(stage == f'layer{i}' for stage, _ in blocks) for i in range(1, 5))
    depth = RESNET_DEPTHS.get((any('conv3' in name for name in state), *counts))  # type: ignore[arg-type]
    return f'ResNet-{depth}' if depth else 'unknown'


def write_backbone(path: str | os.PathLike[str], checkpoint: Mapping[str, Any]) -> Path:
    """Writes the backbone of ``checkpoint`` to ``path`` and its description beside it, as ``.json``: both or none.

    Args:
        path: The file to write, ``backbone.pth`` by habit.
        checkpoint: As the runner saves it. ``meta['auglocal_mm']`` may hold the method, accuracy and config hash.

    Returns:
        The path of the description.

    Raises:
        InputError: The checkpoint holds no backbone, or the disk is full.
    """
    state, meta = backbone_weights(checkpoint), checkpoint.get('meta', {})
    advice = 'give a checkpoint of a training with this project, or its weights alone'
    recorded = fit(meta.get('auglocal_mm', {}), dict[str, Any], 'meta.auglocal_mm of the checkpoint', advice)
    beside = Path(path).with_suffix('.json')
    with atomic_write(beside) as described, atomic_write(path) as weights:
        _save(state, weights)
        description = {
            'method': recorded.get('method', 'unknown'),
            'architecture': recorded.get('architecture') or resnet_architecture(state),
            'num_classes': _num_classes(state),
            'accuracy': recorded.get('accuracy', {}),
            'epoch': meta.get('epoch'),
            'config_hash': recorded.get('config_hash'),
            'sha256': sha256(weights),
        }
        fit(description, BackboneRecord, 'meta of the checkpoint', advice)
        described.write_text(json.dumps(description, indent=2) + '\n', encoding='utf-8')
    return beside


def _save(state: Mapping[str, Tensor], path: Path) -> None:
    try:
        with open(path, 'wb') as file:
            torch.save(state, file)  # through a file: given a path, torch writes its name into the archive
            file.flush()
            os.fsync(file.fileno())
    except RuntimeError as error:  # PyTorch's own, for a write that failed
        cause = error.__context__
        raise cause if isinstance(cause, OSError) else OSError(errno.EIO, str(error).split('\n')[0]) from error


def load_backbone(network: nn.Module, path: str | os.PathLike[str]) -> Coverage:
    """Loads a backbone file into torchvision's or MMDetection's ResNet, all of it or nothing.

    A classifier in the file that ``network`` does not have is left out.

    Raises:
        InputError: The file cannot be read, is of another architecture, or does not cover ``network``.
    """
    state = backbone_weights(read_weights(path))
    coverage = check_coverage(network, state, path)
    network.load_state_dict({name: state[name] for name in coverage.matched}, strict=False)
    return coverage


def check_coverage(network: nn.Module, state: Mapping[str, Tensor], source: str | os.PathLike[str]) -> Coverage:
    """Compares the weights in ``state`` with those that ``network`` needs.

    Raises:
        InputError: A weight of ``network`` is missing or of another shape, or the file was changed after it was written.
    """
    needed = network.state_dict()
    matched = [name for name in needed if name in state and state[name].shape == needed[name].shape]
    coverage = Coverage(
        matched,
        missing=[name for name in needed if name not in matched],
        unexpected=[name for name in state if name not in needed],
    )
    if coverage.missing or [name for name in coverage.unexpected if not name.startswith(CLASSIFIERS)]:
        raise InputError(
            f'{source} ({resnet_architecture(state)}) does not fit the backbone ({resnet_architecture(needed)}): {coverage}; '
            'use a file of the same architecture'
        )
    return coverage


def check_sha256(path: str | os.PathLike[str]) -> None:
    """Compares a backbone file with the sum in the description beside it, if there is one.

    Raises:
        InputError: They differ, or the description is damaged.
    """
    description = Path(path).with_suffix('.json')
    if description.is_file():
        expected = read_backbone_record(description).sha256
        if expected is not None and expected != sha256(path):
            raise InputError(f'{path} is not the file that {description} describes (SHA-256 differs); export it again')


def _num_classes(state: Mapping[str, Tensor]) -> int | None:
    """The length of the classifier's last bias."""
    biases = [value for name, value in state.items() if name.startswith(CLASSIFIERS) and name.endswith('bias')]
    return len(biases[-1]) if biases else None


def sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
