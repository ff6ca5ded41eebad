"""Measurements of training schemes, and whether each scheme is what its name says."""

import ctypes
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from tests_training import stages, tiny_training
from torch._dynamo.utils import counters
from torch.utils._pytree import tree_map

from auglocal_mm.benchmark import measurement
from auglocal_mm.benchmark import schemes as schemes_module
from auglocal_mm.benchmark.benchmark_report import to_markdown
from auglocal_mm.benchmark.iteration import random_batch, training_step
from auglocal_mm.benchmark.measurement import Measurement, measure, measure_alone
from auglocal_mm.benchmark.schemes import Scheme, check_auglocal, training_schemes
from auglocal_mm.benchmark.summary import add_ratios, against_released, summarise
from auglocal_mm.errors import InputError
from auglocal_mm.planning.costs import candidates, layer_seconds
from auglocal_mm.registry import MODELS

SMALL = {'model.image_size': 32, 'train_dataloader.batch_size': 4}


@pytest.fixture(autouse=True, scope='module')
def settings() -> Iterator[None]:
    init_default_scope('auglocal_mm')  # as the tools do; another test may have set another one
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schemes_module, 'DEPTHS', (2, 3))  # fewer heads to measure
        yield


@pytest.fixture
def config(tiny_config):
    return tiny_config(**SMALL)


@pytest.fixture(scope='module')
def schemes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scheme]:
    config = tiny_training('auglocal', tmp_path_factory.mktemp('no_images'), **SMALL)
    return {scheme.name: scheme for scheme in training_schemes(config, [0.9, 0.001])}


def test_times_are_those_of_the_device_that_is_benchmarked(config, monkeypatch):
    monkeypatch.setattr(candidates, '_default_device', lambda: 'cuda')  # --device cpu beside a GPU
    monkeypatch.setattr(layer_seconds, 'OTHER_DATA', 1)
    monkeypatch.setattr(candidates, 'ROUNDS', 1)
    (costs,) = schemes_module.measure_config(config, 'time', ['DGLHead'], device='cpu')
    assert costs.timed


def build(scheme: Scheme):
    torch.manual_seed(0)
    model = MODELS.build(scheme.config.model)
    model.init_weights()
    return model


def after_one_step(scheme: Scheme) -> dict[str, torch.Tensor]:
    """Weights and running statistics in float64."""
    model = build(scheme).double().train()
    optim_wrapper = build_optim_wrapper(model, scheme.config.optim_wrapper)
    torch.manual_seed(1)
    scheme.build_step(scheme.config, model, optim_wrapper)(random_batch(3, 4, 32))
    assert model.backbone.conv1.weight.dtype == torch.float64
    return model.state_dict()


def test_backpropagation_is_compiled_where_the_config_says_so(config):
    config.model.backbone.update(num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,))  # less to compile
    scheme = training_schemes(config, [])[0]
    start, plain = build(scheme).state_dict(), after_one_step(scheme)
    scheme.config.compile = dict(backend='eager')
    torch._dynamo.reset()
    counters.clear()
    assert_close(after_one_step(scheme), plain, start)
    assert counters['stats']['unique_graphs'] > 0


def assert_close(one: dict, other: dict, start: dict) -> None:
    assert set(one) == set(other)
    for name in one:
        torch.testing.assert_close(one[name], other[name], rtol=1e-9, atol=1e-12)
    assert sum(not torch.equal(one[name], start[name].double()) for name in one) > 0.9 * len(one)


def test_released_and_ours_take_the_same_step(schemes):
    start = build(schemes['AugLocal']).state_dict()
    ours = after_one_step(schemes['AugLocal'])
    assert_close(after_one_step(schemes['AugLocal as released']), ours, start)
    assert_close(after_one_step(schemes['AugLocal checkpointed']), ours, start)


def test_backpropagation_is_not_local_learning(schemes):
    plain, ours = after_one_step(schemes['BP']), after_one_step(schemes['AugLocal'])
    assert not torch.allclose(plain['backbone.conv1.weight'], ours['backbone.conv1.weight'], rtol=1e-9)
    assert_close(after_one_step(schemes['BP checkpointed']), plain, build(schemes['BP']).state_dict())


def test_memory_and_compute_of_the_schemes(schemes):
    measured = {name: measure(scheme, 1, 'cpu') for name, scheme in schemes.items() if scheme.config}
    ours, released, plain = measured['AugLocal'], measured['AugLocal as released'], measured['BP']
    assert released.activations > 1.5 * ours.activations
    assert plain.activations > ours.activations > measured['AugLocal checkpointed'].activations
    assert plain.activations > measured['BP checkpointed'].activations
    assert all(0.5 * each.activations < each.saved_activations <= each.activations for each in measured.values())
    assert measured['plan 0.90x'].activations <= 0.93 * plain.activations
    assert plain.flops < ours.flops == released.flops < measured['AugLocal checkpointed'].flops
    assert plain.flops < measured['BP checkpointed'].flops
    assert plain.flops <= measured['plan 0.90x'].flops < ours.flops

    assert ours.gradients == 0
    everything = 4 * (ours.primary_parameters + ours.auxiliary_parameters)
    assert released.peak_gradients == everything  # all exist before the one update
    modules = build(schemes['AugLocal']).local_modules()
    largest = max(sum(parameter.numel() for parameter in module.parameters()) for module in modules)
    assert ours.peak_gradients == 4 * largest < everything / 3
    assert plain.peak_gradients == 4 * plain.primary_parameters
    assert plain.auxiliary_parameters == 0 < ours.auxiliary_parameters
    assert plain.primary_parameters == ours.primary_parameters
    assert ours.optimizer_state == released.optimizer_state == everything  # momentum
    assert ours.images == 4 and len(ours.times) == 1 and ours.times[0] > 0
    assert ours.peak_resident >= ours.resident > 2**26


def test_remaining_gradients_are_seen(schemes, monkeypatch):
    monkeypatch.setattr('mmengine.optim.OptimWrapper.zero_grad', lambda self, **kwargs: None)
    found = measure(schemes['AugLocal'], 1, 'cpu')
    assert found.gradients == 4 * (found.primary_parameters + found.auxiliary_parameters)


def test_warm_up_is_not_timed(schemes, monkeypatch):
    taken = []
    monkeypatch.setattr(measurement, '_seconds', lambda step, batch, device: taken.append(step(batch)) or 1.0)
    steps = []

    def counting(*arguments):
        step = training_step(*arguments)
        return lambda batch: steps.append(step(batch)) or steps[-1]

    assert measure(replace(schemes['BP'], build_step=counting), 3, 'cpu').times == [1.0] * 3
    assert len(taken) == 3
    assert taken[0] is steps[measurement.WARM_UP]


def test_a_process_of_its_own_has_a_peak_of_its_own(schemes):
    ballast = torch.ones(2**28)  # 1 GiB here, which getrusage would count there
    alone = measure_alone(schemes['BP'], 1, 'cpu')
    assert isinstance(alone, Measurement)
    assert alone.peak_resident < ballast.nbytes + 2**29
    assert alone.flops == measure(schemes['BP'], 1, 'cpu').flops


def _die(*arguments: object) -> None:
    os._exit(9)


def test_a_process_that_is_killed_is_a_result(schemes, monkeypatch):
    monkeypatch.setattr(measurement, 'measure', _die)
    assert measure_alone(schemes['BP'], 1, 'cpu').startswith('the process was killed')


def test_mixed_precision_needs_less(config):
    config.train_dataloader.batch_size = 64  # the bfloat16 copies of the weights are small beside them
    whole = measure(training_schemes(config, [])[0], 1, 'cpu')
    config.optim_wrapper.type, config.optim_wrapper.dtype = 'auglocal_mm.AmpOptimWrapper', 'bfloat16'
    half = measure(training_schemes(config, [])[0], 1, 'cpu')
    assert half.activations < 0.85 * whole.activations  # the images stay in float32, and are large beside 8 channels


def test_configs_of_the_schemes(tiny_config):
    """Each scheme takes its part of a config's chain, split points and checkpointing."""
    chain = [dict(stem=['conv1', 'bn1', 'relu', 'maxpool']), 'layer1.*', 'layer2.*', 'layer3.*', 'layer4.*']
    settings = {
        **stages(4),
        'model.image_size': 32,
        'model.partition': dict(chain=chain, split_points=['layer1.1', 'layer3.0']),
        'model.checkpointed': ['stem'],
        'model.auxiliary_heads.checkpointed': [['1'], ['2']],
    }
    config = tiny_config(**settings)
    before = config.to_dict()
    models = {scheme.name: scheme.config.model for scheme in training_schemes(config, [0.9])}
    assert config.to_dict() == before
    assert 'auxiliary_heads' not in models['BP'] and models['BP'].partition == {'chain': chain}
    assert not models['BP'].checkpointed and models['BP checkpointed'].checkpointed == 'all'
    released = models['AugLocal as released']
    assert not released.checkpointed and 'checkpointed' not in released.auxiliary_heads
    assert released.partition == models['AugLocal'].partition == config.model.partition
    assert models['AugLocal'] == config.model
    assert models['AugLocal checkpointed'].auxiliary_heads.checkpointed == 'all'
    assert [len(MODELS.build(model).local_modules()) for model in models.values()][:6] == [1, 1, 1, 3, 3, 3]


def test_the_plan_with_heads_trains_by_the_local_step(tiny_config):
    """At this size a narrow network needs only one module, a deeper and wider one more."""
    settings = {'model.image_size': 32, 'train_dataloader.batch_size': 2}
    settings |= {'model.backbone.depth': 101, 'model.backbone.base_channels': 8}
    *_, planned, rival = training_schemes(tiny_config(**settings), [0.45])
    assert rival.name == 'BP, plan 0.45x' and (rival.config is None or 'auxiliary_heads' not in rival.config.model)
    assert planned.config.model.auxiliary_heads and planned.note.startswith('K = ')
    found = measure(planned, 1, 'cpu')
    assert found.gradients == 0 and found.auxiliary_parameters > 0
    assert found.peak_gradients < 4 * (found.primary_parameters + found.auxiliary_parameters)


def test_an_iteration_has_the_turns_of_its_config_and_no_costs(tiny_config):
    hooks = [dict(type='AugLocalHook', update_every=2)]
    config = tiny_config(custom_hooks=hooks, **stages(2), **{'model.image_size': 32})
    init_default_scope('auglocal_mm')
    model = MODELS.build(config.model).train()
    step = training_step(config, model, build_optim_wrapper(model, config.optim_wrapper))
    batch = random_batch(3, 4, 32)
    trained = [[bool(result['loss'].isfinite()) for result in step(batch)] for _ in range(3)]
    assert trained == [[True, False] * 2 + [True], [False, True] * 2 + [False], [True, False] * 2 + [True]]
    with pytest.raises(InputError, match=r'update_every is 2\b'):
        check_auglocal(config, 'x.py')


def test_a_share_that_no_plan_reaches(schemes):
    assert schemes['plan 0.00x'].config is None
    assert '0.00x' in schemes['plan 0.00x'].note


@pytest.mark.parametrize(('heads', 'named'), [(None, 'no auxiliary heads'), (dict(type='DGLHead'), 'DGLHead')])
def test_other_configs_are_refused(tiny_config, heads, named):
    config = tiny_config('bp')
    config.model.auxiliary_heads = heads
    with pytest.raises(InputError, match=rf'x\.py.*{named}.*model\.auxiliary_heads.*AugLocalHead'):
        check_auglocal(config, 'x.py')


def fake(times: list[float], activations: int = 100) -> Measurement:
    return Measurement(2, times, None, *[0] * 4, activations, activations - 10, *[0] * 3, 10, *[0] * 2)


def test_summary_by_hand():
    plain = summarise(Scheme('BP', None), [fake([1.0, 2.0]), fake([3.0, 8.0], activations=200)])
    assert plain['times_ms'] == [[1000, 2000], [3000, 8000]]
    assert (plain['median_ms'], plain['min_ms'], plain['max_ms']) == (2500, 1000, 8000)
    assert plain['images_per_second'] == pytest.approx(2 / 2.5)
    assert plain['activations'] == 200
    released = summarise(Scheme('AugLocal as released', None), [fake([4.0]), fake([6.0])])
    ours = summarise(Scheme('AugLocal', None), [fake([1.0], activations=50), fake([3.0])])
    schemes = [plain, released, ours, summarise(Scheme('plan', None), 'too small')]
    add_ratios(schemes)
    assert ours['relative'] == {'time': 0.8, 'activations': 0.5, 'saved': pytest.approx(90 / 190), 'flops': 1.0}
    assert against_released(schemes) == {'median': 0.4, 'rounds': [0.25, 0.5]}
    assert schemes[-1] == {'name': 'plan', 'note': 'too small', 'possible': False}


def test_predictions_are_compared_within_their_rounds():
    rounds = [
        replace(fake(times), predicted=predicted)
        for times, predicted in (([1.0, 3.0], 1.9), ([4.0], 4.4), ([8.0], 9.6))
    ]
    found = summarise(Scheme('BP', None), rounds)
    assert found['predicted_ms'] == [1900, 4400, 9600]
    assert found['prediction_error'] == pytest.approx(0.1)
    assert 'prediction_error' not in summarise(Scheme('BP', None), [fake([1.0])])


def test_without_backpropagation_there_are_no_ratios():
    schemes = [summarise(Scheme('BP', None), 'too large'), summarise(Scheme('AugLocal', None), [fake([1.0])])]
    add_ratios(schemes)
    assert 'relative' not in schemes[1] and against_released(schemes) is None
    entry = dict(config='a/x.py', batch_size=2, image_size=32, dtype='float32', loader_images_per_second=None)
    entry |= dict(auglocal_to_released=None, schemes=tree_map(lambda value: value, schemes))
    machine = dict(processor='P', cores=2, threads=1, gpu='G', torch='2')
    text = to_markdown(dict(machine=machine, device='cuda', rounds=1, iterations=1, configs=[entry]))
    assert '| BP | not possible |' in text and '- BP: too large.' in text
    assert '| AugLocal | 1000.0 (1000.0 to 1000.0) |  | 2.0 |' in text


def _signal_of_a_parents_death() -> int:
    found = ctypes.c_int()
    ctypes.CDLL(None).prctl(2, ctypes.byref(found))  # PR_GET_PDEATHSIG
    return found.value


def test_a_measuring_process_ends_with_the_one_that_started_it():
    spawn = get_context('spawn')
    with ProcessPoolExecutor(1, spawn, initializer=measurement._prepare) as process:
        assert process.submit(_signal_of_a_parents_death).result() == signal.SIGKILL
