import pytest
from test_plans import random_network

from auglocal_mm.planning.plan import Plan, PlannedModule
from auglocal_mm.planning.search.frontier import Memory, Training, best_of, cheapest_within, find_frontier, memory_of
from auglocal_mm.planning.search.plans import cheapest_plan


@pytest.fixture(scope='module')
def costs():
    return random_network(3, layers=7)


@pytest.fixture(scope='module')
def frontier(costs):
    return find_frontier([costs])


def test_the_frontier_falls_in_memory_and_rises_in_compute(frontier):
    for plans in (frontier.local, frontier.checkpointed):
        activations = [plan.activations for plan in plans]
        computed = [plan.compute for plan in plans]
        assert activations == sorted(activations, reverse=True)
        assert computed == sorted(computed)
        assert len({*activations}) == len(activations)
    assert all(len(plan.modules) == 1 for plan in frontier.checkpointed)


def test_no_plan_needs_less_than_the_least(costs, frontier):
    reference = frontier.reference.activations
    assert cheapest_plan(costs, frontier.least.activations) is not None
    assert cheapest_plan(costs, frontier.least.activations - 0.002 * reference) is None
    alone = frontier.checkpointed[-1].activations  # between two of the budgets that are searched
    assert cheapest_plan(costs, alone - 0.002 * reference, max_modules=1) is None


def test_memory_adds_up():
    """The second module has most activations, the first most parameters, and the third most of both together."""
    kinds = ((100, 500), (300, 10), (290, 400))
    modules = [PlannedModule(n, n, 2, (), (), 1, activations, size, 1) for n, (activations, size) in enumerate(kinds)]
    for amp, copies in ((False, 0), (True, 2)):
        memory = memory_of(Plan(tuple(modules)), Training(10, 2, amp))
        weights, together = 4 * 910 + copies * 500, 2900 + (4 + copies) * 400
        assert memory == Memory(3000, weights, 4 * 500, 8 * 910, 4 * 910 + 8 * 910 + together)


def test_the_chosen_plan_is_the_cheapest_that_fits(frontier):
    totals = sorted(memory_of(plan, Training(4, 1)).total for plan in frontier.candidates)
    budget = totals[len(totals) // 2]
    chosen = cheapest_within(frontier, budget, Training(4, 1))
    assert memory_of(chosen, Training(4, 1)).total <= budget
    assert not [
        p for p in frontier.candidates if memory_of(p, Training(4, 1)).total <= budget and p.compute < chosen.compute
    ]
    assert cheapest_within(frontier, totals[0] - 1, Training(4, 1)) is None


def test_dominated_plans_are_left_out(frontier):
    assert best_of([*frontier.local, *frontier.checkpointed, *frontier.local]) == list(frontier.local)
