"""The split that fits a device is the best there is, by trying all; its memory is that of a real step."""

import functools
import itertools
from contextlib import nullcontext

import pytest
import torch
from tests_models import cifar_resnet, classifier

from auglocal_mm.errors import InputError
from auglocal_mm.local.state import State, Targets
from auglocal_mm.planning.costs.activation_meter import ActivationMeter
from auglocal_mm.planning.parallel.device_memory import ModuleMemory, module_memory, split_within
from auglocal_mm.runtime.link import LIMIT

SECONDS = [3.0, 1.0, 1.0, 1.0]
MEMORY = [ModuleMemory(10, 5, 4), ModuleMemory(20, 5, 1), ModuleMemory(30, 50, 2), ModuleMemory(40, 5, 1)]


def needed(stages) -> float:
    runs = [[each for each, stage in zip(MEMORY, stages, strict=True) if stage == k] for k in (0, 1)]
    moving = LIMIT * runs[0][-1].sent
    return max(sum(each.fixed for each in run) + max(each.passing for each in run) for run in runs) + moving


@pytest.mark.parametrize(('limit', 'split'), [(1000, 1), (145, 2), (130, 2), (115, 3), (100, None)])
def test_the_fastest_split_that_fits_is_chosen(limit, split):
    fitting = [k for k in (1, 2, 3) if needed([int(index >= k) for index in range(4)]) <= limit]
    if split is None:
        assert not fitting
        with pytest.raises(InputError, match=r'layer_parallel\.memory'):
            split_within(SECONDS, MEMORY, 2, limit)
        return
    slowest = {k: max(sum(SECONDS[:k]), sum(SECONDS[k:])) for k in fitting}
    assert min(slowest, key=slowest.__getitem__) == split
    assert split_within(SECONDS, MEMORY, 2, limit) == [int(index >= split) for index in range(4)]


def test_the_memory_of_a_module_is_that_of_its_step_and_nothing_changes():
    model = classifier(cifar_resnet(20), dict(type='AugLocalHead', depth=2)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modules, images, labels = model.local_modules(), torch.randn(2, 3, 32, 32), torch.zeros(2).long()
    found = module_memory(modules, images, labels, batch_size=8, states=1, context=nullcontext)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    weights = [sum(parameter.nbytes for parameter in module.parameters()) for module in modules]
    statistics = [sum(buffer.nbytes for buffer in module.buffers()) for module in modules]
    assert [each.fixed for each in found] == [2 * w + s for w, s in zip(weights, statistics, strict=True)]
    with ActivationMeter() as meter:
        meter.follow(images)
        modules[0].layers[0](State(images))
    assert found[0].passing > 4 * meter.peak + weights[0]
    features = modules[0](State(images)).features
    assert found[0].sent == 4 * (features.nbytes + labels.nbytes)


def test_in_mixed_precision_copies_of_weights_do_not_grow_with_the_batch():
    model = classifier(cifar_resnet(20), dict(type='AugLocalHead', depth=2)).train()
    modules, images, labels = model.local_modules(), torch.randn(8, 3, 32, 32), torch.zeros(8).long()
    autocast = functools.partial(torch.autocast, 'cpu', torch.bfloat16)
    few = images[:2].clone(), labels[:2]
    found = module_memory(modules, *few, batch_size=8, states=1, context=autocast)
    single = module_memory(modules, *few, batch_size=8, states=1, context=nullcontext)
    state = State(images)
    for module, mixed, float32 in zip(modules, found, single, strict=True):
        weights = sum(parameter.nbytes for parameter in module.parameters())
        copied = sum(parameter.numel() * 2 for parameter in module.parameters() if parameter.dim() > 1)
        with ActivationMeter() as meter:
            for tensor in state.tensors():
                meter.follow(tensor)
            with autocast():
                output = module(state)
                loss = module.loss(output, Targets(labels, images))['loss']
            loss.backward()
        state = output.detach()
        activations = mixed.passing - weights
        assert meter.peak <= activations <= meter.peak + copied + 10_000, 'statistics of norms and biases are less'
        assert activations < 0.8 * (float32.passing - weights)
    assert found[0].sent < single[0].sent, 'features are sent in bfloat16'


def test_images_are_sent_where_a_later_head_reads_them():
    images, labels = torch.randn(2, 3, 32, 32), torch.zeros(2).long()
    modules = classifier(cifar_resnet(20), dict(type='InfoProHead')).train().local_modules()
    found = module_memory(modules, images, labels, batch_size=2, states=1, context=nullcontext)
    state = modules[0](State(images))
    assert found[0].sent == state.features.nbytes + labels.nbytes + images.nbytes
    assert found[-2].sent == 2 * 64 * 8 * 8 * 4 + labels.nbytes, 'the primary head reads no images'


def test_memory_is_proportional_to_the_batch():
    model = classifier(cifar_resnet(20), dict(type='AugLocalHead', depth=2)).train()
    images, labels = torch.randn(2, 3, 32, 32), torch.zeros(2).long()
    few, many = (module_memory(model.local_modules(), images, labels, batch, 1, nullcontext) for batch in (2, 4))
    for one, two, module in zip(few, many, model.local_modules(), strict=True):
        weights = sum(parameter.nbytes for parameter in module.parameters())
        assert two.passing - weights == pytest.approx(2 * (one.passing - weights))


def test_every_cut_of_random_modules_is_at_least_as_slow():
    generator = torch.Generator().manual_seed(0)
    seconds = torch.rand(7, generator=generator).tolist()
    memory = [ModuleMemory(*torch.rand(2, generator=generator).tolist(), 0.0) for _ in range(7)]

    def fits(runs, limit) -> bool:
        return all(sum(m.fixed for m in run) + max(m.passing for m in run) <= limit for run in runs)

    limit, best = 2.6, float('inf')
    for cuts in itertools.combinations(range(1, 7), 2):
        edges = [0, *cuts, 7]
        pairs = list(itertools.pairwise(edges))
        if fits([memory[a:b] for a, b in pairs], limit):
            best = min(best, max(sum(seconds[a:b]) for a, b in pairs))
    stages = split_within(seconds, memory, 3, limit)
    found = max(sum(t for t, stage in zip(seconds, stages, strict=True) if stage == k) for k in range(3))
    assert found == pytest.approx(best) and best < float('inf')
