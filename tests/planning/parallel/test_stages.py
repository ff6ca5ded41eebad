"""Plans for several devices against all plans, and predictions with known answers, on costs made by hand."""

import itertools
from dataclasses import replace

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.planning.costs.layer_cost import LayerCost
from auglocal_mm.planning.costs.layer_seconds import NetworkSeconds, PassSeconds
from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.costs.timed_costs import NANOSECONDS, costs_at_speed, timed_costs, with_updates
from auglocal_mm.planning.parallel.devices import Devices, parse_bandwidth, parse_latency
from auglocal_mm.planning.parallel.predictions import data_parallel, layer_parallel, pipelined
from auglocal_mm.planning.parallel.stages import fastest_stages, sent_bytes, stage_bytes, stage_memory, stage_seconds
from auglocal_mm.planning.search.frontier import Training
from auglocal_mm.planning.search.plans import backpropagation

TIMES = [4, 2, 1, 3]
TRAINING = Training(batch_size=8, states=1)


def layer(milliseconds: float, output: float = 1e6) -> LayerCost:
    """A layer whose backward takes twice as long as its forward."""
    forward = round(milliseconds * 1e6)
    return LayerCost(4e6, 1e6, output, 6e6, forward, 2 * forward, 2 * forward, 100_000, (8, 8, 8))


def costs(head: float = 0.5) -> NetworkCosts:
    layers = [layer(time) for time in TIMES]
    heads = {(index, 2): [layer(head / 2), layer(head / 2, 0.0)] for index in range(3)}
    return NetworkCosts(list('abcd'), 1e5, layers, layer(0.1, 0.0), heads)


def at_any_batch_size(images: int) -> NetworkCosts:
    return costs()


def devices(number: int = 2, bandwidth: float = 1e15, latency: float = 0.0, **rest: float) -> Devices:
    return Devices(number, bandwidth, latency, **rest)


def test_the_slowest_stage_is_as_fast_as_that_of_any_cut():
    plan = fastest_stages(costs(), TRAINING, devices())
    times = [3 * each for each in TIMES]
    bounds = []
    for cut in (1, 2, 3):
        bounds.append(max(sum(times[:cut]) + 1.5, sum(times[cut:]) + 0.3) * 8 / 1e3)
    assert max(stage_seconds(stage, TRAINING) for stage in plan.stages) == pytest.approx(min(bounds))
    assert plan.splits == [1]


def test_a_slow_link_is_as_slow_as_it_is():
    slow = devices(bandwidth=8e6)
    plan = fastest_stages(costs(), TRAINING, slow)
    assert layer_parallel(costs(), plan, TRAINING, slow).seconds == pytest.approx(8.0)  # 8 images of 1 MB at 1 MB/s
    assert sent_bytes(costs(), 0, 8) == 8e6


def test_heads_that_read_the_images_have_them_sent():
    reading, slow = replace(costs(), reads_images=True, image=3e6), devices(3, bandwidth=8e6)
    plan = fastest_stages(reading, TRAINING, slow)
    assert plan.stages[0].modules[-1].last == 0
    assert layer_parallel(reading, plan, TRAINING, slow).traffic == 32e6  # 8 images of 3 MB, and features of 1 MB each
    assert stage_bytes(reading, 2, 8) == 8e6, 'only the last layer is left, which has no auxiliary head'
    assert pipelined(lambda images: reading, TRAINING, slow).traffic == 8e6


def test_a_plan_fits_its_devices_and_less_memory_takes_longer():
    free = fastest_stages(costs(), TRAINING, devices())
    needed = max(stage_memory(costs(), stage, TRAINING) for stage in free.stages)
    tight = devices(memory=0.55 * needed)
    found = fastest_stages(costs(), TRAINING, tight)
    assert max(stage_memory(costs(), stage, TRAINING) for stage in found.stages) <= tight.memory
    slowest = [max(stage_seconds(stage, TRAINING) for stage in plan.stages) for plan in (free, found)]
    assert slowest[0] < slowest[1]
    assert fastest_stages(costs(), TRAINING, devices(memory=1e6)) is None


def test_data_parallel_is_bounded_by_its_gradients():
    plan = backpropagation(costs())
    fast, slow = devices(4), devices(4, bandwidth=1e6)
    whole = stage_seconds(plan, TRAINING)
    assert data_parallel(at_any_batch_size, TRAINING, fast).seconds == pytest.approx(whole / 4)
    averaged = 2 * 3 / 4 * 4 * 500_000 * 8 / 1e6
    forward = 10.1e-3 * 2
    assert data_parallel(at_any_batch_size, TRAINING, slow).seconds == pytest.approx(forward + averaged)


def test_a_pipeline_has_its_bubble():
    for number in (1, 2, 4):
        found = pipelined(at_any_batch_size, TRAINING, devices(number))
        slowest = min(
            max(sum([3 * t for t in TIMES][a:b]) + (0.3 if b == 4 else 0) for a, b in itertools.pairwise([0, *cut, 4]))
            for cut in itertools.combinations((1, 2, 3), number - 1)
        )
        expected = slowest * 8 / 1e3 * (4 * number + number - 1) / (4 * number)
        assert found.seconds == pytest.approx(expected)


def test_times_replace_flops_and_heads_keep_their_sum():
    parts = [PassSeconds(0.1 * index, 0.2 * index) for index in range(1, 5)]
    seconds = NetworkSeconds(parts, parts, PassSeconds(1, 2), {(k, 'h'): PassSeconds(3, 6) for k in range(3)}, 2)
    timed = timed_costs(costs(), seconds, {2: 'h'})
    assert [each.forward for each in timed.layers] == [round(part.forward * NANOSECONDS / 2) for part in parts]
    assert sum(each.backward for each in timed.heads[1, 2]) == 3 * NANOSECONDS
    assert timed.layers[0].internal == costs().layers[0].internal
    halved = costs_at_speed(costs(), 2e9)
    assert halved.layers[0] == replace(
        costs().layers[0], forward=2_000_000, backward=4_000_000, backward_without_input=4_000_000
    )


def test_norms_and_updates_have_times():
    parts = [PassSeconds(1.0, 1.0, 0.5)] * 4
    seconds = NetworkSeconds(parts, parts, PassSeconds(1, 2), {(k, 'h'): PassSeconds(3, 6, 0.8) for k in range(3)}, 2)
    timed = timed_costs(costs(), seconds, {2: 'h'})
    assert [each.norms for each in timed.layers] == [0.25e9] * 4
    assert [each.norms for each in timed.heads[0, 2]] == [0.2e9] * 2  # both parts save the same memory by it
    updated = with_updates(timed, 1e-6, batch_size=2)
    assert updated.layers[1].backward - timed.layers[1].backward == 0.05e9
    assert updated.layers[1].backward_without_input - timed.layers[1].backward_without_input == 0.05e9
    assert updated.timed and not costs().timed


def test_rivals_with_fewer_images_take_the_times_of_fewer_images():
    asked = []

    def costs_of(images: int) -> NetworkCosts:
        asked.append(images)
        return costs_at_speed(costs(), 1e9 if images == TRAINING.batch_size else 0.5e9)

    half = data_parallel(costs_of, TRAINING, devices(2))
    assert half.seconds == pytest.approx(stage_seconds(backpropagation(costs()), TRAINING))
    assert asked == [4]
    pipelined(costs_of, TRAINING, devices(2))
    assert asked[-1] == 1


@pytest.mark.parametrize('text', ['25', 'Gbit', '25GB', '0Gbit', ''])
def test_a_bandwidth_that_is_none_is_refused(text):
    with pytest.raises(InputError, match='--bandwidth'):
        parse_bandwidth(text)


def test_units():
    assert parse_bandwidth('2.5Gbit') == parse_bandwidth('2500mbit/s') == 2.5e9
    assert parse_latency('20us') == pytest.approx(2e-5)
    with pytest.raises(InputError, match='--latency'):
        parse_latency('20')
