"""The planner against backpropagation with checkpointing."""

from auglocal_mm.planning.plan import Plan, PlannedModule
from auglocal_mm.planning.search.frontier import Frontier
from auglocal_mm.planning.verdict import verdict


def plan(modules: int, activations: float, compute: int) -> Plan:
    module = PlannedModule(0, 0, 2, (), (), compute, activations, 10, 1)
    nothing = PlannedModule(0, 0, 2, (), (), 0, 0.0, 10, 1)
    return Plan((module, *[nothing] * (modules - 1)))


def frontier(*local: Plan) -> Frontier:
    reference, rivals = plan(1, 1000, 100), [plan(1, 500, 130), plan(1, 200, 150)]
    least = min((*local, *rivals), key=lambda each: each.activations)
    return Frontier(reference, [reference, *rivals, *local], [reference, *rivals], [], least)


def test_each_side_is_named_where_it_is_better():
    said = verdict(frontier(plan(2, 300, 140)))
    assert said == (
        'Local modules beat backpropagation with checkpointing from 0.475x down to 0.3x of the activations of BP. '
        'BP with checkpointing is the better choice from 1x down to 0.5x and from 0.275x down to 0.2x of the activations of BP.'
    )


def test_equal_compute_is_not_an_advantage_and_the_minimum_is_given():
    said = verdict(frontier(plan(2, 300, 150), plan(3, 150, 400)))
    assert said == (
        'BP with checkpointing is the better choice from 1x down to 0.2x of the activations of BP. '
        'Backpropagation cannot go below 0.200x; local modules reach 0.150x.'
    )
