"""The one reader of weights: plain data, complete and undamaged, or an error that says why not."""

import os
import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from auglocal_mm.errors import InputError
from auglocal_mm.weights.weight_sources import local_file

NETWORK_KEYS = ('state_dict', 'model', 'module')
"""Keys of the weights beside other content, by MMEngine and timm, by torchvision's training scripts, and by DeepSpeed."""
NUMBERS = ('weight', 'bias', 'running_mean', 'running_var')
"""Last parts of the names of tensors that a network computes with."""


def read_weights(source: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a checkpoint without running any code in it.

    Args:
        source: Path of a file made by ``torch.save`` or of a ``.safetensors`` file, or a URL (see
            :func:`auglocal_mm.weights.weight_sources.local_file`).

    Returns:
        The content, on the CPU. The prefix ``module.`` of a data-parallel wrapper is removed from names. Weights under the
        first of ``NETWORK_KEYS`` that the file has are in ``state_dict``.

    Raises:
        InputError: There is no such file, it is truncated or damaged, or it contains more than plain data and tensors.
    """
    with local_file(source) as path, readable(path):
        content: Any = _read_safetensors(path) if path.suffix == '.safetensors' else _read_pickle(path)
    if not isinstance(content, dict) or not isinstance(content.get('meta', {}), dict):
        raise InputError(
            f'{source} contains a {type(content).__name__}, or a meta that is not a dict; expected a checkpoint: give '
            'another file'
        )
    for key in NETWORK_KEYS:
        if 'state_dict' not in content and isinstance(content.get(key), dict):
            content['state_dict'] = content.pop(key)
    state = content.get('state_dict', content)
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise InputError(
            f'state_dict of {source} is a {type(state).__name__} without names; expected a dict of weights by name: give '
            'another file'
        )
    _check_tensors(state, source)
    # MMEngine executes this text as Python when it resumes, only to compare numbers of GPUs.
    content.get('meta', {}).pop('config', None)
    if state and all(name.startswith('module.') for name in state):
        state = {name.removeprefix('module.'): value for name, value in state.items()}
    return {**content, 'state_dict': state} if 'state_dict' in content else state


@contextmanager
def readable(path: str | os.PathLike[str]) -> Iterator[None]:
    """Says of an error of the operating system that ``path`` was being read.

    Raises:
        InputError: Instead of an ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f'{path} cannot be read ({error.strerror}); check its permissions and the disk') from error


def _read_pickle(path: Path) -> Any:
    """What ``torch.save`` wrote.

    Raises:
        InputError: It cannot be read, or not safely.
    """
    try:
        with open(path, 'rb') as file, torch.serialization.safe_globals(_mmengine_globals()):
            damaged = _damaged_entry(path)
            content = None if damaged else torch.load(file, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            f'{path} contains more than weights, or is not a checkpoint: PyTorch refused to load it safely; get it from a source '
            f'you trust and save it again as plain tensors ({_refused(str(error))})'
        ) from error
    except OSError:
        raise
    except Exception as error:  # whatever the reader raises for a file that torch.save did not write
        said = (str(error).splitlines() or [''])[0]
        raise InputError(
            f'{path} is truncated, damaged or not a checkpoint ({type(error).__name__}: {said}); copy or train it again'
        ) from error
    if damaged:
        raise InputError(f'{path} is damaged: {damaged}; copy or train it again')
    return content


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, ValueError, KeyError) as error:
        raise InputError(f'{path} is truncated, damaged or not a safetensors file ({error}); copy it again') from error


def _check_tensors(state: Mapping[str, Any], source: str | os.PathLike[str]) -> None:
    """Refuses weights that are not floating-point numbers, and tensors with less data than their shape needs.

    A few bytes can claim any shape, and fill the memory later.
    """
    for name, value in state.items():
        is_tensor = isinstance(value, Tensor)
        if name.rpartition('.')[2] in NUMBERS and not (is_tensor and value.is_floating_point()):
            raise InputError(
                f'{source} has {name} as {value.dtype if is_tensor else type(value).__name__}; expected floating-point '
                'numbers: use the file from before its conversion'
            )
        if is_tensor and (
            value.layout != torch.strided
            or value.is_quantized
            or value.is_meta
            or value.numel() * value.element_size() > value.untyped_storage().nbytes()
        ):
            raise InputError(
                f'{source} has {name} of shape {tuple(value.shape)} as a sparse, quantized or expanded tensor; save it '
                'again as a dense one'
            )


def _refused(said: str) -> str:
    """What PyTorch refused to load, without its advice to load it anyway."""
    found = re.search(r'(?i)unsupported (?:global: )?\w+ [\w.]+', said)
    return found[0] if found else 'no pickled data'


def _damaged_entry(path: Path) -> str | None:
    """What is wrong with the first bad entry of an archive; ``torch.load`` ignores checksums and skips folders."""
    if not zipfile.is_zipfile(path):  # the format of PyTorch before 1.6 has no checksums
        return None
    with zipfile.ZipFile(path) as archive:
        seen: set[str] = set()
        for entry in archive.infolist():
            wrong = {
                'compressed, which PyTorch never does': entry.compress_type != zipfile.ZIP_STORED,
                'marked as a folder': entry.is_dir() or bool(entry.external_attr & 0x10),
                'encrypted': bool(entry.flag_bits & 1),
                'present twice': entry.filename in seen,
            }
            if any(wrong.values()):
                return f'{entry.filename} in it is {next(name for name, found in wrong.items() if found)}'
            seen.add(entry.filename)
        changed = archive.testzip()
    return f'the checksum of {changed} in it is wrong' if changed else None


def _mmengine_globals() -> list[Any]:
    # A checkpoint of a training also contains its log history, whose methods are pickled as attributes of its class.
    from mmengine.logging import HistoryBuffer
    from mmengine.runner.checkpoint import get_torch_safe_globals

    def history_method(owner: Any, name: str) -> Any:
        if owner is not HistoryBuffer or name.startswith('_'):
            raise pickle.UnpicklingError(f'unsupported attribute {getattr(owner, "__name__", owner)}.{name}')
        return getattr(owner, name)

    return [
        *(entry for entry in get_torch_safe_globals() if entry is not getattr),
        (history_method, 'builtins.getattr'),
    ]
