"""A plan for several devices as text and data."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from typing import Any

from auglocal_mm.analysis.tables import markdown_table
from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.costs.other_heads import UNIFORM
from auglocal_mm.planning.parallel.devices import Devices
from auglocal_mm.planning.parallel.predictions import Prediction
from auglocal_mm.planning.parallel.stages import ParallelPlan, stage_memory, stage_seconds
from auglocal_mm.planning.search.frontier import Training
from auglocal_mm.planning.sizes import format_size


def format_seconds(seconds: float) -> str:
    """Seconds with three digits, as s or ms."""
    return f'{seconds:.3g} s' if seconds >= 1 else f'{seconds * 1e3:.3g} ms'


def stages_table(costs: NetworkCosts, plan: ParallelPlan, training: Training, devices: Devices) -> str:
    """A row for each device, from the input on."""
    rows = []
    for index, stage in enumerate(plan.stages):
        rows.append(
            (
                str(index),
                ', '.join(_layers(costs, module.first, module.last) for module in stage.modules),
                ', '.join(str(module.depth) for module in stage.modules if module.depth > UNIFORM),
                format_seconds(stage_seconds(stage, training)),
                format_size(stage_memory(costs, stage, training)),
            )
        )
    return markdown_table(('stage', 'local modules', 'd', 'time per batch', 'memory'), rows)


def _rate(value: float) -> str:
    """Three significant digits."""
    rounded = float(f'{value:.3g}')
    return f'{rounded:,.0f}' if rounded >= 100 else f'{rounded:g}'


def _layers(costs: NetworkCosts, first: int, last: int) -> str:
    return costs.names[first] if first == last else f'{costs.names[first]} to {costs.names[last]}'


def predictions_table(predictions: Sequence[Prediction], training: Training, devices: Devices) -> str:
    """A row for each way to train."""
    rows = [
        (
            each.name,
            str(each.devices),
            format_seconds(each.seconds),
            _rate(training.batch_size / each.seconds),
            format_size(each.memory) + ('' if each.memory <= devices.memory else ' (does not fit)'),
            format_size(each.traffic) if each.traffic else '',
        )
        for each in predictions
    ]
    return markdown_table(
        ('', 'devices', 'time per batch', 'images/s', 'memory of the fullest device', 'traffic of the busiest link'),
        rows,
    )


def advice(predictions: Sequence[Prediction], devices: Devices, by_bandwidth: Sequence[tuple[float, str]]) -> str:
    """Where each way to train is the better choice."""
    fitting = [each for each in predictions if each.memory <= devices.memory]
    fastest = min(fitting, key=lambda each: each.seconds)
    smallest = min(fitting, key=lambda each: each.memory)
    lines = [f'Fastest here: {fastest.name}.', f'Least memory per device: {smallest.name}.']
    for name, group in groupby(by_bandwidth, itemgetter(1)):
        bandwidths = [bandwidth / 1e9 for bandwidth, _ in group]
        span = f'from {bandwidths[0]:g} to {bandwidths[-1]:g}' if len(bandwidths) > 1 else f'at {bandwidths[0]:g}'
        lines.append(f'With links {span} Gbit/s, {name} is the fastest.')
    return ' '.join(lines)


def to_json(
    predictions: Sequence[Prediction], plan: ParallelPlan, training: Training, devices: Devices
) -> dict[str, Any]:
    """The data of the report, as values that JSON can store."""
    return {
        'batch_size': training.batch_size,
        'devices': {key: value for key, value in asdict(devices).items() if value != float('inf')},
        'heads': plan.plan.kind,
        'splits': plan.splits,
        'stages': [[asdict(module) for module in stage.modules] for stage in plan.stages],
        'seconds': [stage_seconds(stage, training) for stage in plan.stages],
        'predictions': [asdict(each) for each in predictions],
    }
