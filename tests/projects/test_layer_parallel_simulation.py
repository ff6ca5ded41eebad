"""The simulation against cases whose answers are known."""

import statistics
import sys
from itertools import combinations, pairwise

import pytest
import torch
from tests_models import cifar_resnet, classifier
from tests_support import REPOSITORY

from auglocal_mm.analysis.filled_tables import table_names
from auglocal_mm.planning.costs import layer_seconds
from auglocal_mm.runtime.link import LIMIT
from auglocal_mm.runtime.split import balanced_split, best_cuts

sys.path.insert(0, str(REPOSITORY / 'projects/layer_parallel'))

import fill_readme
import measure
import records
from layouts import Cuts
from module_seconds import Layer, Network, Part
from rates import Setting, data_parallel_rate, layer_parallel_rate, pipeline_rate
from simulate import Trainings
from simulation import (
    BUCKET,
    Link,
    Stage,
    data_parallel,
    layer_parallel,
    pipelined,
    seconds_per_iteration,
    slowness,
)

STAGES = [Stage(1.0, 1.0, output=4.0), Stage(2.0, 3.0, output=2.0), Stage(1.0, 2.0)]
NONE = Link()


def test_the_slowest_stage_sets_the_pace():
    events = layer_parallel(STAGES, NONE, [slowness(3, 12)])
    assert seconds_per_iteration(events, fill=4) == pytest.approx(5.0)


def test_the_first_fill_is_the_sum_of_what_comes_before_each_sending():
    (events,) = layer_parallel(STAGES, Link(bandwidth=2.0, latency=0.25), [slowness(3, 1)])
    assert [event[0].start for event in events] == [0.0, 1.0 + 2.0 + 0.25, 3.25 + 2.0 + 1.0 + 0.25]
    assert events[-1][0].end == 6.5 + 3.0


def test_a_slow_link_sets_the_pace():
    events = layer_parallel(STAGES, Link(bandwidth=0.5), [slowness(3, 12)])
    assert seconds_per_iteration(events, fill=4) == pytest.approx(4.0 / 0.5)


def test_latency_does_not_change_the_pace():
    events = layer_parallel(STAGES, Link(bandwidth=2.0, latency=1.0), [slowness(3, 40)])
    assert seconds_per_iteration(events, fill=20) == pytest.approx(5.0)


def test_an_iteration_ends_after_its_losses_of_the_previous_stage():
    (events,) = layer_parallel([Stage(1.0, 9.0), Stage(1.0, 1.0)], Link(latency=0.5), [slowness(2, 1)])
    assert events[1][0].end == 10.5


def test_no_more_than_the_limit_is_on_its_way():
    (events,) = layer_parallel([Stage(1.0, 0.0), Stage(10.0, 0.0)], NONE, [slowness(2, 12)])
    first, second = events
    for iteration in range(LIMIT, 12):
        assert first[iteration].sent >= first[iteration - LIMIT].arrived
        assert first[iteration].arrived >= second[iteration - LIMIT].end
    waiting = [sum(a.sent <= b.start < a.arrived for a in first) for b in second]
    assert max(waiting) == LIMIT
    assert first[-1].end - first[-2].end == pytest.approx(10.0)  # the first one is held back


def test_a_fast_receiver_holds_nobody_back():
    (events,) = layer_parallel([Stage(1.0, 1.0), Stage(0.5, 0.5)], NONE, [slowness(2, 5)])
    assert [event.end for event in events[0]] == [2.0, 4.0, 6.0, 8.0, 10.0]


@pytest.mark.parametrize('device', [0, 1, 2])
def test_a_straggler_slows_all_to_its_pace(device):
    events = layer_parallel([Stage(1.0, 1.0)] * 3, NONE, [slowness(3, 12, straggler=1.5, slow_device=device)])
    assert seconds_per_iteration(events, fill=4) == pytest.approx(3.0)


def test_replicas_wait_for_each_other_and_average():
    stages = [Stage(1.0, 1.0, gradients=8.0)] * 2
    alone = layer_parallel(stages, Link(4.0), [slowness(2, 12)])
    assert seconds_per_iteration(alone, fill=4) == pytest.approx(2.0)
    slow = slowness(4, 12, straggler=2.0, slow_device=3)
    both = layer_parallel(stages, Link(4.0), [slow[:2], slow[2:]], replicas=2)
    assert seconds_per_iteration(both, fill=4) == pytest.approx(4.0 + 8.0 / 4.0)


def test_jitter_has_mean_one_and_costs_less_where_more_may_wait():
    factors = slowness(3, 1500, jitter=0.2)
    assert factors == slowness(3, 1500, jitter=0.2) != slowness(3, 1500, jitter=0.2, seed=1)
    values = [value for row in factors for value in row]
    assert statistics.mean(values) == pytest.approx(1.0, abs=0.01)
    assert statistics.stdev(values) == pytest.approx(0.2, abs=0.01)
    pace = seconds_per_iteration(layer_parallel([Stage(1.0, 1.0)] * 3, NONE, [factors]), fill=10)
    in_step = statistics.mean(2.0 * max(each) for each in zip(*factors, strict=True))
    assert 2.0 < pace < in_step


@pytest.mark.parametrize(('stages', 'micro_batches'), [(1, 3), (2, 8), (4, 4), (4, 16), (8, 3)])
def test_the_bubble_of_the_pipeline(stages, micro_batches):
    ends = pipelined([Stage(1.0, 2.0, output=1.0)] * stages, NONE, [1.0] * stages, micro_batches)
    whole = max(ends)
    assert whole == pytest.approx(3.0 * (micro_batches + stages - 1))
    bubble = 1 - 3.0 * micro_batches / whole
    assert bubble == pytest.approx((stages - 1) / (micro_batches + stages - 1))


def test_a_pipeline_waits_for_its_links():
    stages = [Stage(1.0, 2.0, output=4.0), Stage(1.0, 2.0)]
    # Forward, there, forward and backward, back, backward.
    assert max(pipelined(stages, Link(4.0, 0.5), [1.0, 1.0], 1)) == pytest.approx(1 + 1.5 + 3 + 1.5 + 2)
    slow = max(pipelined(stages, Link(0.1), [1.0, 1.0], 10))
    assert slow >= 10 * 4.0 / 0.1
    assert max(pipelined(stages, NONE, [1.0, 3.0], 10)) >= 10 * 9.0


def test_averaging_bounds_data_parallel_training():
    layers = [Stage(1.0, 2.0, gradients=BUCKET)] * 4
    assert data_parallel(layers, NONE, [1.0] * 4) == pytest.approx(12.0)
    slow = Link(BUCKET / 100.0)
    # All buckets one after the other, once the last layer has its gradients.
    assert data_parallel(layers, slow, [1.0] * 4) == pytest.approx(4.0 + 2.0 + 4 * 100.0 * 2 * 3 / 4)
    fast = Link(BUCKET / 0.1)
    assert data_parallel(layers, fast, [1.0] * 2) == pytest.approx(12.0 + 0.1)  # only the first layer's is waited for
    assert data_parallel(layers, NONE, [1.0, 2.0]) == pytest.approx(24.0)


def test_the_ring():
    link = Link(bandwidth=10.0, latency=0.5)
    assert link.all_reduce(20.0, 4) == pytest.approx(2 * 3 / 4 * 20.0 / 10.0 + 6 * 0.5)
    assert link.all_reduce(20.0, 1) == 0.0


def network(count: int = 5) -> Network:
    layers = [
        Layer(name=str(n), forward=1.0 + n, backward=2.0 + n, start_backward=1.0, output=8 * (n + 1), parameters=10 + n)
        for n in range(count)
    ]
    heads = [Part(forward=0.5 * (n + 1), backward=float(7 - n), parameters=n) for n in range(count - 1)]
    return Network(layers=layers, classifier=Part(forward=0.25, backward=0.5, parameters=3), heads={'light': heads})


def test_the_stages_of_each_scheme():
    # Layers 1 and 2, whose forward passes take 2 and 3 seconds, their backward passes 3 and 4, and 1 without the input's.
    coarse = Cuts(network(), 'coarse', 'light').stage(1, 2)
    assert coarse == Stage(2.0 + 3.0 + 1.5, 1.0 + 4.0 + 5.0, output=24, gradients=4 * (11 + 12 + 2))
    layerwise = Cuts(network(), 'layer by layer', 'light').stage(1, 2)
    assert layerwise == Stage(2.0 + 1.0 + 1.0 + 6.0 + 3.0 + 1.5, 1.0 + 5.0, output=24, gradients=4 * (11 + 12 + 1 + 2))
    assert Cuts(network(), 'BP').stage(1, 2) == Stage(5.0, 7.0, output=24, gradients=4 * 23)
    assert Cuts(network(), 'BP').whole() == Stage(15.25, 1.0 + 3 + 4 + 5 + 6 + 0.5, output=0, gradients=4 * (60 + 3))


def test_no_cut_is_better():
    cuts = Cuts(network(), 'coarse', 'light')

    def slowest(stages) -> float:
        return max(seconds(stage) for stage in stages)

    for weight in (0.0, 1.0):  # of the links

        def seconds(stage: Stage, weight: float = weight) -> float:
            return max(stage.total, weight * stage.output)

        for number, stages in cuts.best(8, seconds).items():
            tries = [[0, *edges, 5] for edges in combinations(range(1, 5), number - 1)]
            best = min(slowest(cuts.stage(a, b - 1) for a, b in pairwise(edges)) for edges in tries)
            assert len(stages) == number and slowest(stages) == best
    assert list(cuts.best(8, seconds)) == [2, 3, 4, 5]


def test_the_cut_of_a_sum_is_that_of_the_executor():
    costs = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]
    for number, edges in best_cuts(8, 8, lambda first, last: sum(costs[first : last + 1])).items():
        split = balanced_split(costs, number)
        sums = [sum(cost for cost, stage in zip(costs, split, strict=True) if stage == each) for each in range(number)]
        assert max(sum(costs[a : b + 1]) for a, b in edges) == max(sums)


def test_rates_are_those_of_a_second_of_devices():
    setting = Setting(device='any', devices=4, bandwidth=10**9)
    stages = [Stage(0.5, 0.5, output=8, gradients=8), Stage(1.0, 1.0, gradients=8)]
    # Two replicas of two stages, the slower of which needs two seconds for an image on the measured thread.
    assert layer_parallel_rate(stages, setting, speed=10.0) == pytest.approx(10.0, rel=1e-4)
    assert data_parallel_rate(stages, setting, speed=10.0) == pytest.approx(4 * 10.0 / 3.0, rel=1e-4)
    equal = [Stage(0.5, 1.0, output=8, gradients=8), Stage(0.5, 1.0, gradients=8)]
    assert pipeline_rate(equal, setting, speed=10.0) == pytest.approx(4 * 10.0 / 3.0 * 8 / 9, rel=1e-4)


def test_a_straggler_and_jitter_slow_every_method():
    nominal = Setting(device='any', devices=4, bandwidth=100)
    stages = [Stage(1.0, 1.0, output=8), Stage(1.0, 1.0)]
    for rate in (layer_parallel_rate, data_parallel_rate, pipeline_rate):
        best = rate(stages, nominal, 1.0)
        assert rate(stages, nominal.model_copy(update=dict(straggler=2.0)), 1.0) == pytest.approx(best / 2, rel=0.07)
        assert 0.7 * best < rate(stages, nominal.model_copy(update=dict(jitter=0.2)), 1.0) < best


def test_the_best_layout_of_every_method():
    trainings = Trainings('toy', network(), 'any', 1e-6)  # so slow that links do not matter
    rows = list(trainings.in_parallel(4, 25, [(0.0, 1.0), (0.0, 2.0)]))
    assert [(row.method, row.straggler) for row in rows[:4]] == [
        ('data-parallel BP', 1.0),
        ('data-parallel BP', 2.0),
        ('pipelined BP', 1.0),
        ('pipelined BP', 2.0),
    ]
    assert rows[0].speedup == pytest.approx(4.0, rel=1e-4) and rows[1].speedup == pytest.approx(2.0, rel=1e-4)
    local = [row for row in rows if row.method == 'layer-parallel']
    assert [(row.scheme, row.heads) for row in local] == [('layer by layer', 'light')] * 2 + [('coarse', 'light')] * 2
    bp = trainings.bp.whole().total
    for row in local[::2]:
        cuts = Cuts(network(), row.scheme, 'light').best(4, lambda stage: stage.total)
        bounds = {stages: 4 // stages * bp / max(stage.total for stage in cut) for stages, cut in cuts.items()}
        best = max((2, 4), key=bounds.__getitem__)
        assert (row.stages, row.speedup) == (best, pytest.approx(bounds[best], rel=1e-4))
        assert row.one_replica == pytest.approx(bounds[4], rel=1e-4)
    sequential = [row for row in trainings.on_one_device() if row.method == 'sequential']
    assert [row.speedup for row in sequential] == [
        pytest.approx(bp / sum(Cuts(network(), 'coarse', 'light').stage(n, n).total for n in range(5)))
    ]


def test_records_are_written_and_found(tmp_path, monkeypatch):
    monkeypatch.setattr(records, 'PATH', tmp_path / 'simulation.json')
    rows = list(Trainings('toy', network(), 'any', 1.0).in_parallel(2, 25, [(0.0, 1.0), (0.2, 1.0)]))
    records.write_simulation(records.Simulation(gpu_speed=2.0, rows=rows))
    read = records.read_simulation()
    assert len(read.rows) == len(rows)
    assert read.one(method='data-parallel BP').rate == pytest.approx(rows[0].rate, rel=1e-4)
    assert [row.jitter for row in read.find(method='data-parallel BP', jitter=None)] == [0.0, 0.2]


def test_the_tables_of_the_readme_are_those_of_the_results():
    fill_readme.main(['--check'])
    text = fill_readme.README.read_text()
    assert table_names(text) == set(fill_readme.TABLES)


def test_a_table_that_is_out_of_date_is_found_and_written(tmp_path, monkeypatch, capsys):
    readme = tmp_path / 'README.md'
    readme.write_text('before\n<!-- table: costs -->\nold\n<!-- end -->\nafter\n')
    monkeypatch.setattr(fill_readme, 'README', readme)
    with pytest.raises(SystemExit):
        fill_readme.main(['--check'])
    assert str(readme) in capsys.readouterr().err
    fill_readme.main([])
    assert readme.read_text().startswith('before\n<!-- table: costs -->\n|  | local layers')
    readme.write_text('<!-- table: nothing -->\n<!-- end -->\n')
    with pytest.raises(SystemExit):
        fill_readme.main([])
    assert 'nothing' in capsys.readouterr().err


def test_nothing_is_faster_than_its_devices():
    rows = records.read_simulation().rows
    assert {row.devices for row in rows} == {1, 2, 4, 8, 16, 32, 64}
    for row in rows:
        if row.method in ('BP', 'data-parallel BP', 'pipelined BP'):
            assert row.speedup <= row.devices * 1.01


def test_measured_times_are_those_of_an_image(monkeypatch):
    ticks = iter(range(10_000))
    monkeypatch.setattr(layer_seconds.PassTimer, '_now', lambda self: float(next(ticks)))
    monkeypatch.setattr(measure, 'IMAGE_SIZE', 32)
    timer = layer_seconds.PassTimer(torch.device('cpu'), amp=False, rounds=1)
    model = classifier(cifar_resnet(20))
    found = measure.measure_network(model, ('DGL', 'AugLocal d=2'), timer)
    assert [len(heads) for heads in found.heads.values()] == [9, 9]
    assert found.layers[1].forward == found.layers[1].start_backward == 1 / measure.BATCH_SIZES['DGL']
    assert found.heads['AugLocal d=2'][0].backward == 1 / measure.BATCH_SIZES['AugLocal d=2']
    assert (found.layers[1].output, found.layers[1].parameters) == (4 * 16 * 32 * 32, 2 * 16 * 16 * 9 + 4 * 16)
    assert found.classifier.parameters == 64 * 10 + 10
