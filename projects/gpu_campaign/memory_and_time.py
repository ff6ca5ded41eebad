"""Stage 2: memory and time of training iterations at 224 pixels, by scheme, and the memory that was predicted."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context
from typing import Any

import torch
from campaign import Campaign, Rows
from iteration_seconds import release_memory
from mmengine.config import Config
from mmengine.registry import init_default_scope
from networks import build, images, read
from speedups import graph, timed

from auglocal_mm.benchmark.iteration import training_step
from auglocal_mm.benchmark.measurement import measure
from auglocal_mm.benchmark.schemes import Scheme, training_schemes

NETWORKS = {  # config, batch
    'ResNet-34': ('auglocal/resnet34_auglocal-d5_1xb256-200e_in1k', 256),
    'ResNet-101': ('auglocal/resnet101_auglocal-d4_1xb128-200e_in1k', 128),
    'ResNet-50': ('auglocal/resnet50_auglocal-d4_1xb128-200e_in1k', 128),
}
CASES = [(network, precision) for precision in ('bfloat16', 'TF32', 'float32') for network in NETWORKS]
SHARES = (0.5, 0.35, 0.25)
POSSIBLE = (0.7,)
"""What the network of a miniature can be planned for."""
ITERATIONS = 5


def run(campaign: Campaign, rows: Rows) -> None:
    """Adds a row for each network, precision and scheme."""
    for (network, precision), schemes in planned(campaign.miniature):
        with precision_of(precision):
            measure_schemes(campaign, rows, f'{network}, {precision}', schemes)


def planned(miniature: bool) -> Iterator[tuple[tuple[str, str], list[Scheme]]]:
    """Each case and its schemes; plans are searched by other processes, beside the measurements."""
    if miniature:
        yield CASES[0], schemes_of(*CASES[0], miniature)
        return
    with ProcessPoolExecutor(len(CASES), get_context('spawn')) as planners:
        plans = [planners.submit(schemes_of, *case, miniature) for case in CASES]
        for case, plan in zip(CASES, plans, strict=True):
            yield case, plan.result()


def schemes_of(network: str, precision: str, miniature: bool) -> list[Scheme]:
    """All schemes of ``benchmark_training.py`` for one network."""
    init_default_scope('auglocal_mm')
    device, shares = ('cpu', POSSIBLE) if miniature else ('cuda', SHARES)
    return training_schemes(config_of(network, precision, miniature), shares, device)


def config_of(network: str, precision: str, miniature: bool) -> Config:
    """The layer-wise AugLocal config of a network."""
    path, batch_size = NETWORKS[network]
    config = read(path, train_dataloader__batch_size=batch_size, model__image_size=224)
    if precision == 'bfloat16':
        config.merge_from_dict({'optim_wrapper.type': 'AmpOptimWrapper', 'optim_wrapper.dtype': 'bfloat16'})
    if miniature:
        small = {'model.image_size': 32, 'model.backbone.base_channels': 8, 'train_dataloader.batch_size': 4}
        small |= {'model.backbone.depth': 18, 'model.auxiliary_heads.depth': 2, 'model.head.num_classes': 3}
        config.merge_from_dict(small)
    return config


@contextmanager
def precision_of(name: str) -> Iterator[None]:
    """Float32 products in TF32, or in full precision; PyTorch's default is TF32 for convolutions alone."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    cudnn.allow_tf32 = matmul.allow_tf32 = name != 'float32'
    yield
    cudnn.allow_tf32, matmul.allow_tf32 = before


def measure_schemes(campaign: Campaign, rows: Rows, case: str, schemes: Sequence[Scheme]) -> None:
    """Adds a row for each scheme, on a GPU also for local schemes that are replayed, until the time is over."""
    for scheme in schemes:
        name = f'{case}, {scheme.name}'
        if name not in rows and campaign.seconds_left > 0:
            rows.add(name, {'note': scheme.note, **(measured(scheme, campaign.device) if scheme.config else {})})
            release_memory()
        name += ', replayed'
        if campaign.device == 'cuda' and is_local(scheme) and name not in rows and campaign.seconds_left > 0:
            rows.add(name, replayed(scheme, campaign.device))
            release_memory()


def is_local(scheme: Scheme) -> bool:
    """Whether a scheme updates several local modules one after the other."""
    return scheme.config is not None and 'auxiliary_heads' in scheme.config.model and scheme.build_step is training_step


def replayed(scheme: Scheme, device: str) -> dict[str, Any]:
    """Time and memory of a local scheme whose iterations are replayed as CUDA graphs."""
    config = scheme.config
    assert config is not None
    batch = images(config, config.train_dataloader.batch_size, device)
    return timed(lambda: graph(config, *build(config, device), batch), len(batch['inputs']), device)


def measured(scheme: Scheme, device: str) -> dict[str, Any]:
    """Time and memory of one scheme, and its predicted activations, in bytes of a batch."""
    try:
        found = asdict(measure(scheme, ITERATIONS, device))
    except Exception as error:  # out of memory, above all
        return {'error': f'{type(error).__name__}: {error}'[:500]}
    predicted = scheme.prediction.plan.activations * found['images'] if scheme.prediction else None
    return {**found, 'predicted_activations': predicted}
