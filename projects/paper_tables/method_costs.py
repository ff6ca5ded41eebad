"""ResNet-110 under every method of the paper, and the time and memory of their iterations on this machine."""

import statistics
from pathlib import Path

from mmengine.config import Config
from rich.progress import track

from auglocal_mm.benchmark.measurement import Measurement, measure_alone
from auglocal_mm.benchmark.schemes import Scheme
from auglocal_mm.errors import InputError

REPOSITORY = Path(__file__).parents[2]

METHODS = {  # config folder, depth; the paper's GFLOPs, memory in GB and extra wall-clock time in percent, if printed
    'BP': ('bp', 0, 0.25, 9.27, None),
    'BP checkpointed': ('bp', 0, 0.25, 3.03, 34.1),
    'PredSim': ('predsim', 0, 0.25, 1.54, 65.9),
    'DGL': ('dgl', 0, 0.26, 1.61, 76.2),
    'InfoPro': ('infopro', 0, 0.34, 3.98, 292.3),
    'd=2': ('auglocal', 2, 0.63, 1.71, 87.2),
    'd=3': ('auglocal', 3, 0.69, 1.62, 115.9),
    'd=4': ('auglocal', 4, 0.80, 1.70, 135.6),
    'd=5': ('auglocal', 5, 0.98, 1.71, 180.8),
    'd=6': ('auglocal', 6, 1.13, 1.72, 214.6),
}
BATCH = 1024
"""Batch size of the paper's memory figures."""


def load(method: str, depth: int = 0, decay: float = 0.5, **settings: object) -> Config:
    """The config of ResNet-110 on CIFAR-10 under one method, AugLocal trimmed as on small images."""
    name = f'{method}-d5' if depth else method
    config = Config.fromfile(REPOSITORY / f'configs/{method}/resnet110_{name}_1xb1024-400e_cifar10.py')
    if depth:
        heads = {'depth': depth, 'pyramid': decay}
        config.merge_from_dict({'model.auxiliary_heads': heads, 'model.partition.last_module_layers': depth})
    config.merge_from_dict(settings)
    return config


def schemes(batch: int) -> list[Scheme]:
    """One scheme for each method, with iterations of ``batch`` images."""
    found = []
    for name, (method, depth, *_) in METHODS.items():
        checkpointed = {'model.checkpointed': 'all'} if name == 'BP checkpointed' else {}
        found.append(Scheme(name, load(method, depth, **{'train_dataloader.batch_size': batch}, **checkpointed)))
    return found


def memory(measured: Measurement, batch: int = BATCH) -> float:
    """Peak memory in GB of one process with a batch of ``batch`` images."""
    parameters = 4 * (measured.primary_parameters + measured.auxiliary_parameters)
    activations = measured.activations * batch / measured.images
    return (activations + parameters + measured.peak_gradients + measured.optimizer_state) / 1e9


def measure_methods(batch: int, rounds: int, device: str) -> dict[str, dict[str, float]]:
    """Peak memory in GB and seconds of an iteration of every method, in turn, over several rounds."""
    found, times, gigabytes = schemes(batch), {name: [] for name in METHODS}, {}
    for _ in track(range(rounds), description='measuring'):
        for scheme in found:
            measured = measure_alone(scheme, 3, device)
            if isinstance(measured, str):
                raise InputError(f'{scheme.name} cannot be measured: {measured}; give a smaller --batch-size')
            times[scheme.name] += measured.times
            gigabytes[scheme.name] = memory(measured)
    return {name: {'gb': gigabytes[name], 'seconds': statistics.median(times[name])} for name in METHODS}
