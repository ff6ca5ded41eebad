"""The backbone file: weights in torchvision's names, a description beside them, and loading that reports what matched."""

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from torchvision.models import get_model, list_models

from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import atomic_write, is_there
from auglocal_mm.files.json_file import fit
from auglocal_mm.files.run_record import parse_record
from auglocal_mm.weights.backbone_record import BackboneRecord, TrainingCost, read_backbone_record
from auglocal_mm.weights.checkpoint_file import read_weights, readable
from auglocal_mm.weights.finite import non_finite
from auglocal_mm.weights.layouts import in_layout, resnet_name
from auglocal_mm.weights.load_weights import CLASSIFIERS, Coverage, load_weights

TRAINING_KEYS = (
    *(
        'num_validation_images',
        'partition',
        'auxiliary_heads',
        'datasets',
        'seed',
        'initial_weights',
        'versions',
        'checkout',
        'device',
        'num_processes',
    ),
    *TrainingCost.model_fields,
)
"""What a description has only where the checkpoint records it."""
RESNETS = ('ResNet', 'TorchvisionBackbone')
"""Classes of plain ResNets: others, such as ``ResNeXt``, can have the same names of weights."""


def backbone_weights(weights: Mapping[str, Any]) -> dict[str, Tensor]:
    """The backbone in torchvision's names, with its classifier, from a model's or a backbone's state dict.

    Raises:
        InputError: There are no backbone weights.
    """
    state = weights.get('state_dict', weights)
    whole = any(name.startswith('backbone.') for name in state)
    if whole:
        state = {
            name.removeprefix('backbone.').removeprefix('head.'): value
            for name, value in state.items()
            if name.startswith(('backbone.', *(f'head.{classifier}' for classifier in CLASSIFIERS)))
        }
    # Contiguous, so that the file does not depend on the layout in which the network ran.
    plain = {'memory_format': torch.contiguous_format}
    state = {n: value.detach().cpu().clone(**plain) for n, value in state.items() if isinstance(value, Tensor)}
    if not whole and not any(name.startswith(('conv1.', 'stem.', 'layer1.', 'features.')) for name in state):
        raise InputError(
            'the checkpoint contains no backbone; expected keys such as backbone.conv1.weight, conv1.weight or '
            'features.0.weight: give the checkpoint of a classifier or a detector'
        )
    return state


def named_as_torchvision(state: Mapping[str, Tensor], architecture: str | None) -> dict[str, Tensor]:
    """Renames the linear classifier of a torchvision network as it is named there, such as ``heads.head``."""
    if architecture not in list_models() or 'fc.weight' not in state:
        return dict(state)
    with torch.random.fork_rng(devices=[]):
        *_, (path, last) = (each for each in get_model(architecture).named_modules() if isinstance(each[1], nn.Linear))
    if last.in_features != state['fc.weight'].shape[1]:
        return dict(state)
    return {f'{path}.{name[3:]}' if name.startswith('fc.') else name: value for name, value in state.items()}


def write_backbone(path: str | os.PathLike[str], checkpoint: Mapping[str, Any], layout: str | None = None) -> Path:
    """Writes the backbone of ``checkpoint`` to ``path`` and its description beside it, as ``.json``: both or none.

    Args:
        path: The file to write, ``backbone.pth`` by convention; a safetensors file if its name ends in ``.safetensors``.
        checkpoint: As the runner saves it. ``meta['auglocal_mm']`` may contain what a
            :class:`auglocal_mm.weights.backbone_record.BackboneRecord` tells of the training, and ``meta['cfg']`` its config.
        layout: The library that is to load it, see :func:`auglocal_mm.weights.layouts.in_layout`; by default the names are
            torchvision's where it has the network, and the network's own otherwise.

    Returns:
        The path of the description.

    Raises:
        InputError: There are no backbone weights, some are not finite, ``layout`` has no such network, or the disk is full.
    """
    meta = checkpoint.get('meta', {})
    state = backbone_weights(checkpoint)
    found = non_finite(state)
    if found:
        raise InputError(f'the checkpoint comes from a diverged training: {found}; export an earlier one')
    advice = 'give a checkpoint of a training with this project, or its weights alone'
    recorded = fit(meta.get('auglocal_mm', {}), dict[str, Any], 'meta.auglocal_mm of the checkpoint', advice)
    beside = Path(path).with_suffix('.json')
    state = named_as_torchvision(state, recorded.get('architecture'))
    architecture = recorded.get('architecture') or _architecture(state, meta.get('cfg'))
    state = in_layout(state, layout, architecture) if layout else state
    with atomic_write(beside) as described, atomic_write(path) as weights:
        _save(state, weights, Path(path).suffix == '.safetensors')
        description = {
            'method': recorded.get('method', 'unknown'),
            'architecture': architecture,
            'num_classes': _num_classes(state),
            'accuracy': recorded.get('accuracy', {}),
            'epoch': recorded.get('epoch', meta.get('epoch')),
            'iteration': meta.get('iter'),
            'config_hash': recorded.get('config_hash'),
            **{key: recorded[key] for key in TRAINING_KEYS if recorded.get(key) is not None},
            'sha256': sha256(weights),
        }
        fit(description, BackboneRecord, 'meta of the checkpoint', advice)
        described.write_text(json.dumps(description, indent=2) + '\n', encoding='utf-8')
    return beside


def _architecture(state: Mapping[str, Tensor], config: Any) -> str:
    """Of a ResNet, what :func:`resnet_name` says; otherwise the class of the backbone or model in the text of a config."""
    model: Any = (parse_record(config) or {}).get('model')
    part = model.get('backbone', model) if isinstance(model, Mapping) else None
    network = str(part['type']).split('.')[-1] if isinstance(part, Mapping) and 'type' in part else None
    found = resnet_name(state)
    return network if network and (found == 'unknown' or network not in RESNETS) else found


def _save(state: dict[str, Tensor], path: Path, as_safetensors: bool) -> None:
    try:
        with open(path, 'wb') as file:
            if as_safetensors:
                file.write(safetensors.torch.save(state, {'format': 'pt'}))  # which timm and others look for
            else:
                torch.save(state, file)  # through a file: given a path, torch writes its name into the archive
            file.flush()
            os.fsync(file.fileno())
    except RuntimeError as error:  # PyTorch's own, for a write that failed
        cause = error.__context__
        raise cause if isinstance(cause, OSError) else OSError(errno.EIO, str(error).split('\n')[0]) from error


def load_backbone(network: nn.Module, path: str | os.PathLike[str]) -> Coverage:
    """Loads a backbone file into torchvision's or MMDetection's ResNet, all of it or nothing.

    A classifier in the file that ``network`` does not have is ignored.

    Raises:
        InputError: The file cannot be read, is of another architecture, or does not cover ``network``.
    """
    return load_weights(network, read_weights(path), str(path))


def check_sha256(path: str | os.PathLike[str]) -> None:
    """Compares a backbone file with the checksum in the description beside it, if there is one.

    Raises:
        InputError: They differ, or the description is damaged.
    """
    description = Path(path).with_suffix('.json')
    if is_there(description):
        record = read_backbone_record(description)
        if record.sha256 is None and 'config_hash' not in record.model_fields_set:
            return  # written by another program
        if record.sha256 != sha256(path):
            raise InputError(
                f'{path} is not the file that {description} describes (SHA-256 differs, or is missing there); export '
                'it again, or remove the description'
            )


def _num_classes(state: Mapping[str, Tensor]) -> int | None:
    """The length of the classifier's last bias."""
    biases = [value for name, value in state.items() if name.startswith(CLASSIFIERS) and name.endswith('bias')]
    return len(biases[-1]) if biases else None


def sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Raises:
        InputError: The file cannot be read.
    """
    with readable(path):
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
