"""Safe reading of checkpoints: plain data and whole, or not at all."""

import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from auglocal_mm.errors import InputError


def read_weights(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads a file made by ``torch.save`` without running any code in it.

    Raises:
        InputError: There is no such file, it is truncated or damaged, or it holds more than plain data and tensors.
    """
    if not Path(path).is_file():
        raise InputError(f'there is no checkpoint {path}; give the path of a .pth file')
    try:
        with torch.serialization.safe_globals(_mmengine_globals()):
            content = torch.load(path, map_location='cpu', weights_only=True)
        changed = _changed_part(path)
    except pickle.UnpicklingError as error:
        raise InputError(
            f'{path} holds more than weights, or is no checkpoint: PyTorch refused to load it safely; get it from a source '
            f'you trust and save it again as plain tensors ({_refused(str(error))})'
        ) from error
    except Exception as error:  # whatever a file that torch.save did not write makes the reader stumble over
        said = (str(error).splitlines() or [''])[0]
        raise InputError(
            f'{path} is truncated, damaged or no checkpoint ({type(error).__name__}: {said}); copy or train it again'
        ) from error
    if changed:
        raise InputError(f'{path} is damaged: the checksum of {changed} in it is another; copy or train it again')
    state = content.get('state_dict', content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
        raise InputError(f'{path} holds a {type(state).__name__} without names; expected a dict of weights by name')
    if not isinstance(content.get('meta', {}), dict):
        raise InputError(f'{path} has a meta that is no dict; it is no checkpoint of this or another OpenMMLab project')
    return content


def _refused(said: str) -> str:
    """What PyTorch would not load, without its advice to load it all the same."""
    found = re.search(r'(?i)unsupported (?:global: )?\w+ [\w.]+', said)
    return found[0] if found else 'no pickled data'


def _changed_part(path: str | os.PathLike[str]) -> str | None:
    """The first part of a file that its checksum, which ``torch.load`` passes by, does not fit."""
    if not zipfile.is_zipfile(path):  # the format of PyTorch before 1.6 has no checksums
        return None
    with zipfile.ZipFile(path) as archive:
        return archive.testzip()


def _mmengine_globals() -> list[Any]:
    # A checkpoint of a training also holds its log history, whose methods are pickled as attributes of its class.
    from mmengine.logging import HistoryBuffer
    from mmengine.runner.checkpoint import get_torch_safe_globals

    def history_method(owner: Any, name: str) -> Any:
        if owner is not HistoryBuffer or name.startswith('_'):
            raise pickle.UnpicklingError(f'attribute {name} of {owner} is not plain data')
        return getattr(owner, name)

    return [
        *(entry for entry in get_torch_safe_globals() if entry is not getattr),
        (history_method, 'builtins.getattr'),
    ]
