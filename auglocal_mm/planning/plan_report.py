"""A frontier as tables, data and a figure."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from auglocal_mm.analysis.tables import markdown_table
from auglocal_mm.local.recompute import Segment
from auglocal_mm.planning.costs.timed_costs import NANOSECONDS
from auglocal_mm.planning.plan import AUGLOCAL, Plan
from auglocal_mm.planning.search.frontier import Frontier, Memory, Training, memory_of
from auglocal_mm.planning.sizes import format_size
from auglocal_mm.planning.verdict import verdict

HEADER = (
    'K',
    'split after',
    'd',
    'layers recomputed',
    'norms recomputed',
    'activations',
    'weights',
    'gradients',
    'optimizer',
    'total',
)


def describe(plan: Plan, names: Sequence[str]) -> str:
    """One line: local modules, depths, and the number of recomputed layers."""
    recomputed = f'{_layers_recomputed(plan)} layers and the norms of {_norms_recomputed(plan)} recomputed'
    if len(plan.modules) == 1:
        return f'BP, {recomputed}'
    splits = ', '.join(names[module.last] for module in plan.modules[:-1])
    heads = f'd = {_depths(plan)}' if plan.kind == AUGLOCAL else plan.kind
    return f'K = {len(plan.modules)}, split after {splits}, {heads}, {recomputed}'


def frontier_table(plans: Sequence[Plan], frontier: Frontier, names: Sequence[str], training: Training) -> str:
    """A row for each plan; memory of a batch, activations and compute also relative to backpropagation."""
    rows = []
    for plan in plans:
        memory = memory_of(plan, training)
        local = plan.modules[:-1]
        rows.append(
            (
                str(len(plan.modules)),
                ', '.join(names[module.last] for module in local) or 'BP',
                _depths(plan) if plan.kind == AUGLOCAL or not local else plan.kind,
                str(_layers_recomputed(plan)),
                str(_norms_recomputed(plan)),
                f'{plan.activations / frontier.reference.activations:.3f}x = {format_size(memory.activations)}',
                format_size(memory.weights),
                format_size(memory.gradients),
                format_size(memory.optimizer),
                format_size(memory.total),
                f'{plan.compute / frontier.reference.compute:.3f}x',
                f'{plan.head_parameters / 1e6:.1f} M',
            )
        )
    return markdown_table((*HEADER, 'time' if frontier.timed else 'compute', 'heads'), rows)


def _depths(plan: Plan) -> str:
    return ', '.join(str(module.depth) for module in plan.modules[:-1])


def to_markdown(
    title: str, frontier: Frontier, chosen: Plan, names: Sequence[str], training: Training, snippet: Path
) -> str:
    """The report as Markdown."""
    reference = memory_of(frontier.reference, training)
    sections = [
        f'# {title}',
        f'Backpropagation needs {format_size(reference.total)}: {format_size(reference.activations)} of activations, '
        f'{format_size(reference.weights)} of weights, {format_size(reference.gradients)} of gradients, '
        f"{format_size(reference.optimizer)} of optimizer state. The device's workspace is not included."
        + _measured_time(frontier, chosen, training),
        verdict(frontier),
        f'## Chosen: {describe(chosen, names)}',
        frontier_table([chosen], frontier, names, training),
        f'`{snippet}` trains it.',
        '## The best plans',
        frontier_table(frontier.local, frontier, names, training),
        '## Backpropagation with checkpointing',
        frontier_table(frontier.checkpointed, frontier, names, training),
    ]
    return '\n\n'.join(sections) + '\n'


def _measured_time(frontier: Frontier, chosen: Plan, training: Training) -> str:
    if not frontier.timed:
        return ''
    plain, planned = (seconds_of(plan, training) for plan in (frontier.reference, chosen))
    return (
        f' An iteration takes {plain:.3g} s, and {planned:.3g} s by the chosen plan, by the times of single layers on this '
        'machine.'
    )


def seconds_of(plan: Plan, training: Training) -> float:
    """Seconds of an iteration of a timed plan."""
    return plan.compute * training.batch_size / NANOSECONDS


def to_json(frontier: Frontier, chosen: Plan, names: Sequence[str], training: Training) -> dict[str, Any]:
    """The data of the report, as values that JSON can store."""

    def entry(plan: Plan) -> dict[str, Any]:
        memory: Memory = memory_of(plan, training)
        return {
            'modules': [asdict(module) for module in plan.modules],
            'heads': plan.kind,
            'description': describe(plan, names),
            'activations_per_image': plan.activations,
            'cost_per_image': plan.compute,
            'relative_activations': plan.activations / frontier.reference.activations,
            'relative_cost': plan.compute / frontier.reference.compute,
            'memory': asdict(memory),
        }

    return {
        'layers': list(names),
        'batch_size': training.batch_size,
        'cost': 'nanoseconds' if frontier.timed else 'FLOPs',
        'backpropagation': entry(frontier.reference),
        'chosen': entry(chosen),
        'frontier': [entry(plan) for plan in frontier.local],
        'backpropagation_checkpointed': [entry(plan) for plan in frontier.checkpointed],
    }


def plot(frontier: Frontier, chosen: Plan | None, title: str) -> Figure:
    """Compute against activations, both relative to backpropagation."""
    figure = Figure(figsize=(8, 5), dpi=150, layout='constrained')
    axes = figure.subplots()
    for plans, label, style in (
        (frontier.local, 'best plan', 'o-'),
        (frontier.checkpointed, 'BP with checkpointing', 's--'),
    ):
        axes.plot(*_points(plans, frontier.reference), style, label=label, markersize=4)
    if chosen is not None:
        axes.plot(*_points([chosen], frontier.reference), '*', markersize=14, color='tab:red', label='chosen')
    what = 'time' if frontier.timed else 'FLOPs'
    axes.set(title=title, xlabel='activations, relative to BP', ylabel=f'{what} of a step, relative to BP')
    axes.spines[['top', 'right']].set_visible(False)
    axes.legend()
    return figure


def _points(plans: Sequence[Plan], reference: Plan) -> tuple[list[float], list[float]]:
    shares = [plan.activations / reference.activations for plan in plans]
    return shares, [plan.compute / reference.compute for plan in plans]


def _segments(plan: Plan) -> list[Segment]:
    return [segment for module in plan.modules for segment in (*module.layer_segments, *module.head_segments)]


def _layers_recomputed(plan: Plan) -> int:
    return sum(segment.last - segment.first + 1 for segment in _segments(plan) if not segment.selective)


def _norms_recomputed(plan: Plan) -> int:
    return sum(segment.selective for segment in _segments(plan))
