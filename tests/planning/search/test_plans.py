"""The search against trying everything, on small sequences with random costs."""

import random
from dataclasses import replace
from itertools import product

import pytest

from auglocal_mm.local.recompute import Segment
from auglocal_mm.planning.costs.layer_cost import LayerCost
from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.plan import Plan
from auglocal_mm.planning.search.modules import peak, peak_of
from auglocal_mm.planning.search.plans import cheapest_plan, cheapest_plans
from auglocal_mm.planning.search.segments import extend, segments_of, start


def random_layer(generator: random.Random) -> LayerCost:
    internal, output = generator.randint(0, 9), generator.randint(1, 9)
    convolved = generator.randint(0, internal)
    forward = generator.randint(1, 20)
    passing = generator.choice([0, 0, 3])
    return LayerCost(
        internal, convolved, output, internal + output + passing, forward, 2 * forward, forward, forward, (1,)
    )


def all_ways(length: int):
    """Every set of disjoint segments over ``length`` layers, of single layers with their norms alone too."""
    if length == 0:
        yield []
        return
    for way in all_ways(length - 1):
        yield way  # the last layer is kept
    for first in range(length):
        for way in all_ways(first):
            yield [*way, Segment(first, length - 1)]
            if first == length - 1:
                yield [*way, Segment(first, first, selective=True)]


def extra(layers, way) -> int:
    return sum(layer.forward for run in way if not run.selective for layer in layers[run.first : run.last + 1])


NOTHING = LayerCost(0, 0, 0, 0, 0, 0, 0, 0, (1,))


@pytest.mark.parametrize('seed', range(6))
def test_no_way_through_a_sequence_is_better(seed):
    generator = random.Random(seed)
    layers = [random_layer(generator) for _ in range(6)]
    for budget in (15, 25, 35, 60):
        ways = [way for way in all_ways(6) if peak(2, layers, way, [NOTHING], []) <= budget]
        *_, states = [[], *extend([start(2)], layers, budget, layers[-1].output)]
        expected = min((extra(layers, way) for way in ways), default=None)
        assert min((state.extra for state in states), default=None) == expected
        for state in states:
            assert peak(2, layers, segments_of(state), [NOTHING], []) <= budget
            assert extra(layers, segments_of(state)) == state.extra


def compute_of(layers, head, way, head_way) -> int:
    forward = sum(layer.forward for layer in [*layers, *head])
    backward = layers[0].backward_without_input + sum(layer.backward for layer in [*layers[1:], *head])
    return forward + backward + extra(layers, way) + extra(head, head_way)


def best_module(costs: NetworkCosts, first: int, last: int, budget: float) -> int | None:
    layers = list(costs.layers[first : last + 1])
    held = costs.image + (costs.layers[first - 1].output if first else 0)
    final = last + 1 == len(costs.layers)
    heads = [[costs.classifier]] if final else [h for (n, _), h in costs.heads.items() if n == last + 1]
    found = []
    for head in heads:
        for way, head_way in product(all_ways(len(layers)), all_ways(len(head) - 1)):
            if peak(held, layers, way, head, head_way) <= budget:
                found.append(compute_of(layers, head, way, head_way))
    return min(found, default=None)


def try_everything(costs: NetworkCosts, budget: float, most: int) -> int | None:
    total = len(costs.layers)
    modules = {(a, b): best_module(costs, a, b, budget) for a in range(total) for b in range(a, total)}
    found = []
    for cuts in product([False, True], repeat=total - 1):
        ends = [i for i, cut in enumerate(cuts) if cut] + [total - 1]
        parts = list(zip([0, *(end + 1 for end in ends[:-1])], ends, strict=True))
        if len(parts) <= most and all(modules[part] is not None for part in parts):
            found.append(sum(modules[part] for part in parts))
    return min(found, default=None)


def random_network(seed: int, layers: int = 5) -> NetworkCosts:
    generator = random.Random(seed)
    heads = {
        (number, depth): [random_layer(generator) for _ in range(depth)]
        for number in range(1, layers)
        for depth in (2, 3)
    }
    names = [f'l{i}' for i in range(layers)]
    return NetworkCosts(names, 3, [random_layer(generator) for _ in range(layers)], random_layer(generator), heads)


@pytest.mark.parametrize('seed', range(8))
def test_no_plan_is_better(seed):
    costs = random_network(seed)
    for budget in (14, 20, 26, 40, 80):
        for most, plan in zip((1, 2, 5), cheapest_plans(costs, budget, [1, 2, 5]), strict=True):
            expected = try_everything(costs, budget, most)
            assert (plan.compute if plan else None) == expected
            if plan:
                assert plan.activations <= budget
                check_consistent(costs, plan)


def check_consistent(costs: NetworkCosts, plan: Plan) -> None:
    assert [module.first for module in plan.modules] == [0, *(module.last + 1 for module in plan.modules[:-1])]
    assert plan.modules[-1].last == len(costs.layers) - 1
    for module in plan.modules:
        layers = list(costs.layers[module.first : module.last + 1])
        head = [costs.classifier] if module.depth == 0 else costs.heads[module.last + 1, module.depth]
        way = [
            Segment(run.first - module.first, run.last - module.first, run.selective) for run in module.layer_segments
        ]
        assert module.activations == peak_of(costs, module)
        assert module.compute == compute_of(layers, head, way, module.head_segments)
        assert module.parameters == sum(layer.parameters for layer in [*layers, *head])


def test_more_memory_never_computes_more():
    costs = random_network(3, layers=7)
    computes = [plan.compute for budget in range(10, 120, 5) if (plan := cheapest_plan(costs, budget)) is not None]
    assert computes == sorted(computes, reverse=True)
    assert len(computes) > 5


@pytest.mark.parametrize('seed', range(4))
def test_norms_are_recomputed_only_where_the_budget_asks_for_it(seed):
    costs = random_network(seed)
    assert not any(run.selective for module in cheapest_plan(costs, 1000).modules for run in module.layer_segments)
    for budget in (20, 26, 40):
        for module in plan.modules if (plan := cheapest_plan(costs, budget)) else ():
            for run in (run for run in module.layer_segments if run.selective):
                without = tuple(each for each in module.layer_segments if each != run)
                assert peak_of(costs, replace(module, layer_segments=without)) > budget
