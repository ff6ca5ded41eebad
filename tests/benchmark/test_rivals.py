"""The rivals take the step of backpropagation, and need the memory that they promise."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from tests_training import tiny_training

from auglocal_mm.benchmark.iteration import StepBuilder, random_batch, training_step
from auglocal_mm.benchmark.measurement import Measurement, measure
from auglocal_mm.benchmark.rivals import compiled_within, saved_on_cpu, updated_in_backward
from auglocal_mm.benchmark.schemes import Scheme, training_schemes
from auglocal_mm.benchmark.summary import add_rivals, summarise
from auglocal_mm.planning.costs.activation_meter import ActivationMeter
from auglocal_mm.registry import MODELS

PARTITIONED = 'aot_eager_decomp_partition'
"""The partitioner of torch.compile without its code generation, which takes minutes."""
STAGE = {'model.image_size': 32, 'train_dataloader.batch_size': 4}
STAGE |= {f'model.backbone.{key}': value for key, value in dict(num_stages=1, strides=(1,), dilations=(1,)).items()}
STAGE |= {'model.backbone.out_indices': (0,), 'model.auxiliary_heads.depth': 2}


@pytest.fixture
def config(tmp_path):
    init_default_scope('auglocal_mm')
    return tiny_training('auglocal', tmp_path, **STAGE)


@pytest.fixture
def plain(config) -> Scheme:
    return training_schemes(config, [])[0]


def trained(scheme: Scheme, build_step: StepBuilder) -> dict[str, torch.Tensor]:
    """Weights, statistics and momentum after two steps."""
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(scheme.config.model)).train()
    optim_wrapper = build_optim_wrapper(model, copy.deepcopy(scheme.config.optim_wrapper))
    step = build_step(scheme.config, model, optim_wrapper)
    for seed in range(2):
        torch.manual_seed(seed)
        step(random_batch(3, 4, 32))
    assert all(parameter.grad is None for parameter in model.parameters())
    momentum = {
        f'momentum of {index}': state['momentum_buffer']
        for index, state in enumerate(optim_wrapper.optimizer.state[parameter] for parameter in model.parameters())
    }
    return {**model.state_dict(), **momentum}


@pytest.mark.parametrize('build_step', [updated_in_backward, saved_on_cpu])
def test_rivals_take_the_step_of_backpropagation(plain, build_step):
    expected, found = trained(plain, training_step), trained(plain, build_step)
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_updates_in_backward_keep_one_gradient(plain):
    whole, rival = (measure(replace(plain, build_step=each), 1, 'cpu') for each in (training_step, updated_in_backward))
    assert rival.peak_gradients < whole.peak_gradients == 4 * whole.primary_parameters
    assert (rival.flops, rival.optimizer_state) == (whole.flops, whole.optimizer_state)


def test_compiled_graphs_save_less_within_a_budget(plain):
    expected = trained(plain, training_step)
    saved = []
    for budget in (1.0, 0.2):
        torch.compiler.reset()
        build_step = partial(compiled_within, budget=budget, backend=PARTITIONED)
        for name, value in trained(plain, build_step).items():
            torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6)
        torch.compiler.reset()
        found = measure(replace(plain, build_step=build_step, compiled=True), 1, 'cpu')
        assert found.activations is found.flops is found.peak_gradients is None
        saved.append(found.saved_activations)
    assert 0 < saved[1] < 0.6 * saved[0]


def test_compiled_schemes_are_asked_for(config):
    names = [scheme.name for scheme in training_schemes(config, [], 'cuda', compiled=True)]
    assert names[1:7] == [
        'BP checkpointed',
        'BP, updated in backward',
        'BP, saved on the CPU',
        *(f'BP compiled, budget {budget}' for budget in (1.0, 0.5, 0.2)),
    ]


def test_the_meter_counts_one_device():
    with ActivationMeter(torch.device('meta')) as meter:
        torch.ones(8)
        kept = torch.ones(2, device='meta')
    assert meter.peak == kept.nbytes


def measured(name: str, milliseconds: float, activations: int | None, auxiliary: int = 0, allocated: int = 0):
    times, gradients = [milliseconds / 1000], None if activations is None else 10
    found = Measurement(2, times, None, 0, 0, allocated, 0, activations, 5, 0, gradients, 0, 1, 3, auxiliary)
    return summarise(Scheme(name, None), [found])


def test_the_best_rival_is_the_fastest_within_the_memory():
    def rivals(device: str) -> list[str | None]:
        schemes = [
            measured('BP', 10, 100, allocated=9),
            measured('BP checkpointed', 14, 40, allocated=4),
            measured('BP, plan 0.50x', 12, 50, allocated=5),
            measured('BP compiled', 9, None, allocated=3),
            measured('AugLocal', 40, 50, 7, allocated=2),
            measured('plan 0.40x', 11, 45, 7, allocated=4),
            measured('plan 0.20x', 11, 20, 7, allocated=9),
            summarise(Scheme('plan 0.10x', None), 'impossible'),
        ]
        add_rivals(schemes, device)
        assert not any('rival' in scheme for scheme in (*schemes[:4], schemes[-1]))
        return [scheme['rival'] for scheme in schemes[4:7]]

    assert rivals('cpu') == ['BP, plan 0.50x', 'BP checkpointed', None]
    assert rivals('cuda') == [None, 'BP compiled', 'BP compiled']
