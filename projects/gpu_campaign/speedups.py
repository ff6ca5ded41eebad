"""Stage 3: what pays on a GPU: compiled modules, two streams, and iterations replayed as CUDA graphs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from campaign import Campaign, Rows
from correctness import total
from iteration_seconds import release_memory
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from networks import build, images, read
from torch import Tensor

from auglocal_mm.benchmark.iteration import training_step
from auglocal_mm.local.state import State, Targets
from auglocal_mm.models import ImageClassifier
from auglocal_mm.runtime.optimizers import LocalOptimWrapper

WARM_UP, ITERATIONS = 5, 10


@dataclass(frozen=True)
class Case:
    """A network on images of one size.

    Attributes:
        depth: Of the heads.
        num_local_modules: By default one for each layer; one local module is backpropagation.
    """

    name: str
    config: str
    image_size: int
    batch_size: int
    depth: int = 2
    num_local_modules: int | None = None


RESNET34, RESNET32 = (
    'auglocal/resnet34_auglocal-d5_1xb256-200e_in1k',
    'auglocal/resnet32_auglocal-d5_1xb1024-400e_cifar10',
)
CASES = (
    Case('ResNet-34, 64 px, BP', RESNET34, 64, 256, num_local_modules=1),
    Case('ResNet-34, 64 px, K = 4, d = 3', RESNET34, 64, 256, 3, 4),
    Case('ResNet-34, 64 px, layer by layer, d = 5', RESNET34, 64, 256, 5),
    Case('ResNet-32, 32 px, BP', RESNET32, 32, 1024, num_local_modules=1),
    Case('ResNet-32, 32 px, layer by layer, d = 5', RESNET32, 32, 1024, 5),
    Case('ResNet-34, 224 px, BP', RESNET34, 224, 256, num_local_modules=1),
    Case('ResNet-34, 224 px, K = 4, d = 3', RESNET34, 224, 256, 3, 4),
    Case('ResNet-34, 224 px, layer by layer, d = 5', RESNET34, 224, 256, 5),
)
GPU_ONLY = ('two streams', 'CUDA graph', 'compiled', 'compiled, CUDA graph')
"""What a CPU does not have, or compiles in minutes."""
Step = Callable[[], float]
"""One iteration; returns the sum of all losses, which waits for the device."""


def run(campaign: Campaign, rows: Rows) -> None:
    """Adds a row for each case and way to run it: first what is quick to build, then what is compiled."""
    for ways in (('plain', 'CUDA graph', 'two streams'), ('compiled', 'compiled, CUDA graph')):
        for case in CASES[1:2] if campaign.miniature else CASES:
            for way in ways:
                name = f'{case.name}: {way}'
                if name not in rows and campaign.seconds_left > 0 and possible(case, way, campaign.device):
                    rows.add(name, measured(case, way, campaign))
                    release_memory()


def possible(case: Case, way: str, device: str) -> bool:
    """Whether this way exists here; networks of a module for each layer take minutes to compile, and are not."""
    if (way in GPU_ONLY and device == 'cpu') or (way == 'two streams' and case.num_local_modules == 1):
        return False
    return not way.startswith('compiled') or case.num_local_modules is not None


def config_of(case: Case, miniature: bool) -> Config:
    """The config of a case, in bfloat16."""
    config = read(case.config, optim_wrapper__type='AmpOptimWrapper', model__image_size=case.image_size)
    config.model.checkpointed = []
    config.model.partition = {'num_local_modules': case.num_local_modules} if case.num_local_modules else None
    config.model.auxiliary_heads.depth = 2 if miniature else case.depth
    if miniature:
        config.merge_from_dict({'model.image_size': 32, 'model.backbone.base_channels': 8})
    return config


def measured(case: Case, way: str, campaign: Campaign) -> dict[str, Any]:
    """Times one case, or says why it cannot be run in this way."""
    config, device = config_of(case, campaign.miniature), campaign.device
    batch = images(config, 4 if campaign.miniature else case.batch_size, device)
    return timed(lambda: WAYS[way](config, *build(config, device), batch), len(batch['inputs']), device)


def timed(prepare: Callable[[], Step], number: int, device: str) -> dict[str, Any]:
    """Times the iterations of a step on so many images."""
    start = time.perf_counter()
    try:
        step = prepare()
        losses = [step() for _ in range(WARM_UP)]
        prepared = time.perf_counter() - start
        if device == 'cuda':
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        times = [seconds(step, losses) for _ in range(ITERATIONS)]
    except Exception as error:  # a way that fails is a result
        return {'error': f'{type(error).__name__}: {error}'[:1500]}
    finally:
        torch.compiler.reset()
    middle = median(times)
    return {
        'images': number,
        'milliseconds': 1000 * middle,
        'images_per_second': number / middle,
        'times': times,
        'seconds_to_prepare': prepared,
        'peak_allocated': torch.cuda.max_memory_allocated(),
        'peak_reserved': torch.cuda.max_memory_reserved(),  # with what a recording keeps, which is not allocated
        'losses': losses,
    }


def seconds(step: Step, losses: list[float]) -> float:
    """Times one iteration and keeps its loss."""
    start = time.perf_counter()
    losses.append(step())
    return time.perf_counter() - start


def plain(config: Config, model: ImageClassifier, optim_wrapper: OptimWrapper, batch: dict[str, Tensor]) -> Step:
    """As it is trained by default."""
    step = training_step(config, model, optim_wrapper)
    return lambda: total(step(batch))


def compiled(config: Config, model: ImageClassifier, optim_wrapper: OptimWrapper, batch: dict[str, Tensor]) -> Step:
    """With ``compile=True``: each local module, or the whole iteration of backpropagation."""
    return plain(Config({**config, 'compile': True}), model, optim_wrapper, batch)


def two_streams(config: Config, model: ImageClassifier, optim_wrapper: OptimWrapper, batch: dict[str, Tensor]) -> Step:
    """The next module's forward pass starts beside the head, the backward pass and the update of this one."""
    streams = [torch.cuda.Stream(), torch.cuda.Stream()]
    modules = model.local_modules()
    assert isinstance(optim_wrapper, LocalOptimWrapper)

    def step() -> float:
        data = model.data_preprocessor(batch, True)
        state, targets, losses = State(data['inputs']), Targets(data['data_samples'], data['inputs']), []
        ready = torch.cuda.current_stream().record_event()
        for index, module in enumerate(modules):
            stream = streams[index % 2]
            stream.wait_event(ready)
            for tensor in state.tensors():
                tensor.record_stream(stream)
            with torch.cuda.stream(stream):
                with optim_wrapper[module.name].optim_context(model):
                    state = module(state)
                    ready = stream.record_event()
                    loss = module.loss(state, targets)['loss']
                state = state.detach()
                optim_wrapper.update_module(index, loss)
            losses.append(loss.detach())
        for stream in streams:
            torch.cuda.current_stream().wait_stream(stream)
        return float(torch.stack(losses).sum())

    return step


def graph(config: Config, model: ImageClassifier, optim_wrapper: OptimWrapper, batch: dict[str, Tensor]) -> Step:
    """With ``CUDAGraphExecutor``, which replays whole iterations."""
    hook = dict(type='AugLocalHook', executor=dict(type='CUDAGraphExecutor'))
    return plain(Config({**config, 'custom_hooks': [hook]}), model, optim_wrapper, batch)


def compiled_graph(
    config: Config, model: ImageClassifier, optim_wrapper: OptimWrapper, batch: dict[str, Tensor]
) -> Step:
    """The same with compiled modules."""
    return graph(Config({**config, 'compile': True}), model, optim_wrapper, batch)


WAYS = {
    'plain': plain,
    'two streams': two_streams,
    'CUDA graph': graph,
    'compiled': compiled,
    'compiled, CUDA graph': compiled_graph,
}
