"""What a training needs to be repeated, as its runner knows it."""

import platform
import subprocess
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any

from mmengine.device import get_device
from mmengine.dist import get_world_size
from mmengine.runner import Runner

import auglocal_mm
from auglocal_mm.datasets.wrappers import inner_datasets
from auglocal_mm.engine.unwrapped import unwrapped
from auglocal_mm.files.run_record import plain
from auglocal_mm.hardware import device_name

ROOT = Path(auglocal_mm.__file__).parents[1]
DISTRIBUTIONS = {'torch': 'torch', 'mmengine': 'onedl-mmengine', 'mmdet': 'onedl-mmdetection'}


def provenance(runner: Runner) -> dict[str, Any]:
    """The training's part of a :class:`auglocal_mm.weights.backbone_record.BackboneRecord`; without what is not known."""
    facts = {
        'partition': _partition(unwrapped(runner.model)),
        'auxiliary_heads': plain((runner.cfg.get('model') or {}).get('auxiliary_heads')),
        'datasets': _datasets(runner),
        'seed': runner.seed,
        'versions': _versions(),
        'checkout': checkout(ROOT),
        'device': device_name(get_device()) or None,
        'num_processes': get_world_size(),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _partition(model: Any) -> dict[str, Any] | None:
    """Of a classifier; nothing else has split points."""
    if not hasattr(model, 'split_points'):
        return None
    names = [layer.name for layer in model.layers]
    split_points = [names[layers - 1] for layers in model.split_points]
    return {'num_local_modules': len(split_points) + 1, 'split_points': split_points}


def _datasets(runner: Runner) -> list[dict[str, Any]]:
    """All data sets that are read, with what their configs say of them."""
    built = list(inner_datasets(runner.train_dataloader.dataset))
    configs = list(_inner_configs((runner.cfg.get('train_dataloader') or {}).get('dataset')))
    if len(configs) != len(built):  # a wrapper that names its data sets otherwise
        configs = [{}] * len(built)
    return [_dataset(dataset, config) for dataset, config in zip(built, configs, strict=True)]


def _inner_configs(config: Any) -> Iterator[Mapping[str, Any]]:
    """As :func:`inner_datasets`, for configs."""
    if not isinstance(config, Mapping):
        return
    inside = config.get('datasets') or [config.get('dataset')]
    if inside == [None]:
        yield config
        return
    for each in inside:
        yield from _inner_configs(each)


def _dataset(dataset: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    texts = {'name': config.get('name'), 'folder': PurePath(str(config.get('data_root') or '')).name}
    named = {key: value for key, value in texts.items() if isinstance(value, str) and value}
    return {'type': type(dataset).__name__, **named, 'num_images': len(dataset)}


def _versions() -> dict[str, str]:
    found = {'python': platform.python_version(), 'auglocal_mm': auglocal_mm.__version__}
    for name, distribution in DISTRIBUTIONS.items():
        try:
            found[name] = version(distribution)
        except PackageNotFoundError:
            continue
    return found


def checkout(folder: Path) -> dict[str, Any] | None:
    """The commit of a git checkout, and whether tracked files differ from it.

    Returns:
        ``None`` if ``folder`` is not the top of a checkout, or git cannot be asked.
    """
    if not (folder / '.git').exists():  # git would also answer for a repository around it
        return None
    commit, status = _git(folder, 'rev-parse', 'HEAD'), _git(folder, 'status', '--porcelain', '--untracked-files=no')
    return None if commit is None or status is None else {'commit': commit, 'changed': bool(status)}


def _git(folder: Path, *arguments: str) -> str | None:
    command = ['git', '--no-optional-locks', '-C', str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
