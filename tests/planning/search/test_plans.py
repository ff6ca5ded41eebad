"""The search against brute force, on small sequences with random costs."""

import random
from dataclasses import replace
from itertools import product

import pytest

from auglocal_mm.local.recompute import Segment
from auglocal_mm.planning.costs.layer_cost import LayerCost
from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.plan import Plan
from auglocal_mm.planning.search import modules
from auglocal_mm.planning.search.modules import peak, peak_of
from auglocal_mm.planning.search.plans import cheapest_plan, cheapest_plans
from auglocal_mm.planning.search.segments import extend, segments_of, start


def random_layer(generator: random.Random) -> LayerCost:
    internal, output = generator.randint(0, 9), generator.randint(1, 9)
    convolved = generator.randint(0, internal)
    forward = generator.randint(1, 20)
    temporary = generator.choice([0, 0, 3])
    passes, norms = (forward, 2 * forward, forward), generator.choice([0, 0, 1, forward])
    return LayerCost(internal, convolved, output, internal + output + temporary, *passes, forward, (1,), norms=norms)


def all_schedules(length: int):
    """Every set of disjoint segments over ``length`` layers, including single layers whose norms alone are recomputed."""
    if length == 0:
        yield []
        return
    for schedule in all_schedules(length - 1):
        yield schedule  # the last layer is saved
    for first in range(length):
        for schedule in all_schedules(first):
            yield [*schedule, Segment(first, length - 1)]
            if first == length - 1:
                yield [*schedule, Segment(first, first, selective=True)]


def extra(layers, schedule) -> int:
    return sum(
        layer.norms if segment.selective else layer.forward
        for segment in schedule
        for layer in layers[segment.first : segment.last + 1]
    )


NOTHING = LayerCost(0, 0, 0, 0, 0, 0, 0, 0, (1,))


@pytest.mark.parametrize('seed', range(6))
def test_no_schedule_of_a_sequence_is_better(seed):
    generator = random.Random(seed)
    layers = [random_layer(generator) for _ in range(6)]
    for budget in (15, 25, 35, 60):
        schedules = [schedule for schedule in all_schedules(6) if peak(2, layers, schedule, [NOTHING], []) <= budget]
        *_, states = [[], *extend([start(2)], layers, budget, layers[-1].output)]
        expected = min((extra(layers, schedule) for schedule in schedules), default=None)
        assert min((state.extra for state in states), default=None) == expected
        for state in states:
            assert peak(2, layers, segments_of(state), [NOTHING], []) <= budget
            assert extra(layers, segments_of(state)) == state.extra


def compute_of(layers, head, schedule, head_schedule) -> int:
    forward = sum(layer.forward for layer in [*layers, *head])
    backward = layers[0].backward_without_input + sum(layer.backward for layer in [*layers[1:], *head])
    return forward + backward + extra(layers, schedule) + extra(head, head_schedule)


def best_module(costs: NetworkCosts, first: int, last: int, budget: float) -> int | None:
    layers = list(costs.layers[first : last + 1])
    memory = costs.image + (costs.layers[first - 1].output if first else 0)
    final = last + 1 == len(costs.layers)
    heads = [[costs.classifier]] if final else [h for (n, _), h in costs.heads.items() if n == last]
    found = []
    for head in heads:
        for schedule, head_schedule in product(all_schedules(len(layers)), all_schedules(len(head) - 1)):
            if peak(memory, layers, schedule, head, head_schedule) <= budget:
                found.append(compute_of(layers, head, schedule, head_schedule))
    return min(found, default=None)


def brute_force(costs: NetworkCosts, budget: float, most: int) -> int | None:
    total = len(costs.layers)
    modules = {(a, b): best_module(costs, a, b, budget) for a in range(total) for b in range(a, total)}
    found = []
    for splits in product([False, True], repeat=total - 1):
        ends = [i for i, split in enumerate(splits) if split] + [total - 1]
        parts = list(zip([0, *(end + 1 for end in ends[:-1])], ends, strict=True))
        if len(parts) <= most and all(modules[part] is not None for part in parts):
            found.append(sum(modules[part] for part in parts))
    return min(found, default=None)


def random_network(seed: int, layers: int = 5) -> NetworkCosts:
    generator = random.Random(seed)
    heads = {
        (index, depth): [random_layer(generator) for _ in range(depth)]
        for index in range(layers - 1)
        for depth in (2, 3)
    }
    names = [f'l{i}' for i in range(layers)]
    return NetworkCosts(names, 3, [random_layer(generator) for _ in range(layers)], random_layer(generator), heads)


@pytest.mark.parametrize('seed', range(8))
def test_no_plan_is_better(seed):
    costs = random_network(seed)
    for budget in (14, 20, 26, 40, 80):
        for most, plan in zip((1, 2, 9), cheapest_plans(costs, budget, [1, 2, 9]), strict=True):
            expected = brute_force(costs, budget, most)
            assert (plan.compute if plan else None) == expected
            if plan:
                assert plan.activations <= budget
                check_consistent(costs, plan)


def check_consistent(costs: NetworkCosts, plan: Plan) -> None:
    assert [module.first for module in plan.modules] == [0, *(module.last + 1 for module in plan.modules[:-1])]
    assert plan.modules[-1].last == len(costs.layers) - 1
    for module in plan.modules:
        layers = list(costs.layers[module.first : module.last + 1])
        head = [costs.classifier] if module.depth == 0 else costs.heads[module.last, module.depth]
        schedule = [
            Segment(segment.first - module.first, segment.last - module.first, segment.selective)
            for segment in module.layer_segments
        ]
        assert module.activations == peak_of(costs, module)
        computed = compute_of(layers, head, schedule, module.head_segments)
        assert module.compute == modules.compute_of(costs, module) == computed
        assert module.parameters == sum(layer.parameters for layer in [*layers, *head])


def test_a_larger_budget_never_has_a_lower_peak():
    for seed in range(6):
        costs = random_network(seed, layers=7)
        for most in (1, 7):
            plans = [cheapest_plan(costs, budget, most) for budget in range(10, 120, 6)]
            peaks = [plan.activations for plan in plans if plan is not None]
            assert peaks == sorted(peaks), (seed, most)


def test_more_memory_never_computes_more():
    costs = random_network(3, layers=7)
    computes = [plan.compute for budget in range(10, 120, 5) if (plan := cheapest_plan(costs, budget)) is not None]
    assert computes == sorted(computes, reverse=True)
    assert len(computes) > 5


@pytest.mark.parametrize('seed', range(4))
def test_norms_are_recomputed_only_where_the_budget_requires_it(seed):
    costs = random_network(seed)
    assert not any(
        segment.selective for module in cheapest_plan(costs, 1000).modules for segment in module.layer_segments
    )
    for budget in (20, 26, 40):
        for module in plan.modules if (plan := cheapest_plan(costs, budget)) else ():
            for segment in (segment for segment in module.layer_segments if segment.selective):
                without = tuple(each for each in module.layer_segments if each != segment)
                assert peak_of(costs, replace(module, layer_segments=without)) > budget
