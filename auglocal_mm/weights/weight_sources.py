"""Where weights come from: a path, a URL, or a name of a model zoo."""

import os
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from mmengine.runner.checkpoint import get_external_models, get_mmcls_models, get_torchvision_models

from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there
from auglocal_mm.launch.node import once_per_node

ZOOS: dict[str, Callable[[], Mapping[str, str]]] = {
    'torchvision': get_torchvision_models,
    'modelzoo': get_torchvision_models,
    'open-mmlab': get_external_models,
    'openmmlab': get_external_models,
    'mmcls': get_mmcls_models,
}
"""Schemes of MMEngine whose names stand for URLs."""
HASHED = re.compile(r'-([0-9a-f]{8,})\.\w+$')
TIMEOUT = 60.0
"""Seconds without an answer after which a download is given up."""


@contextmanager
def local_file(source: str | os.PathLike[str]) -> Iterator[Path]:
    """The file of ``source``, downloaded if need be.

    A download whose name carries a hash, as those of model zoos do, is verified and kept in PyTorch's cache. Any other URL
    is fetched anew: its content may change, and files of two trainings have the same name.

    Args:
        source: A path, ``http(s)://...``, or a scheme of ``ZOOS`` as in ``torchvision://resnet34``.

    Raises:
        InputError: There is no such file, name or scheme, or it cannot be fetched.
    """
    scheme, separator, name = str(source).partition('://')
    if not separator:
        path = Path(source).expanduser()
        if not is_there(path):
            raise InputError(f'there is no checkpoint {source}; give the path of a file')
        yield path
        return
    url = _zoo_url(scheme, name) if scheme in ZOOS else str(source)
    if not url.startswith(('http://', 'https://')):
        raise InputError(
            f'{source}: weights come from files, http(s):// and {"://, ".join(ZOOS)}://; download it first'
        )
    hashed = HASHED.search(url)
    if hashed:
        kept = Path(torch.hub.get_dir(), 'checkpoints', url.rsplit('/', 1)[-1])
        once_per_node(lambda: None if kept.is_file() else _download(url, kept, hashed[1]))
        yield kept
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, re.sub(r'[?#].*', '', url).rsplit('/', 1)[-1] or 'weights.pth')
            _download(url, path, None)
            yield path


def _zoo_url(scheme: str, name: str) -> str:
    models = ZOOS[scheme]()
    if name not in models:
        similar = [known for known in models if known.startswith(name[:6])][:5]
        raise InputError(
            f'{scheme}:// has no model {name!r}; it has, for example, {", ".join(similar or list(models)[:5])}'
        )
    return models[name]


def _download(url: str, path: Path, hash_prefix: str | None) -> None:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix, progress=sys.stderr.isatty())
    except (OSError, RuntimeError, ValueError) as error:  # no network, no such page, another hash, no URL, a full disk
        raise InputError(
            f'{url} cannot be fetched and written to {path} ({error}); download it by other means and give its path'
        ) from error
    finally:
        socket.setdefaulttimeout(before)
