"""Finds the best trade-off of memory and compute: where to split a network, how deep to make its heads, what to recompute.

Needs no GPU and no data.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from rich.progress import Progress

from auglocal_mm.analysis.tables import write_report
from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import write_text
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.planning.costs.candidates import candidate_costs, timed_candidates
from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.options import add_depths, add_options, check_depths, check_out, given_options, read_training
from auglocal_mm.planning.plan import AUGLOCAL, Plan
from auglocal_mm.planning.plan_report import describe, plot, to_json, to_markdown
from auglocal_mm.planning.search.frontier import Frontier, Training, cheapest_within, find_frontier, memory_of
from auglocal_mm.planning.sizes import format_size, parse_size
from auglocal_mm.planning.training_config import (
    given_settings,
    kept_settings,
    optimizer_states,
    to_config,
    to_text,
    trains_in_autocast,
)


def choose(frontier: Frontier, budget: float | None, training: Training) -> Plan:
    """The cheapest plan within the budget.

    Without a budget, half the memory of BP is used; if no plan fits, the plan with the least memory is chosen.

    Raises:
        InputError: No plan fits into the budget.
    """
    half = memory_of(frontier.reference, training).total / 2
    chosen = cheapest_within(frontier, half if budget is None else budget, training)
    if chosen is None:
        smallest = min(frontier.candidates, key=lambda plan: memory_of(plan, training).total)
        if budget is None:
            return smallest
        least = memory_of(smallest, training)
        static = least.weights + least.gradients + least.optimizer
        raise InputError(
            f'no plan fits into {format_size(budget)}, expected at least {format_size(least.total)} for a batch of '
            f'{training.batch_size}, of which weights, gradients and optimizer state are {format_size(static)}; give a smaller '
            '--batch-size or a larger --budget'
        )
    return chosen


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line.

    Raises:
        InputError: An option is out of range.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of a classifier')
    parser.add_argument(
        '--budget', help='total memory, such as 8GiB; default: half the memory of BP, or the least possible'
    )
    add_depths(parser)
    parser.add_argument(
        '--cost',
        choices=('flops', 'time'),
        default='flops',
        help='what plans minimise; time is measured on this machine, layer by layer; default: %(default)s',
    )
    add_options(parser, heads=[AUGLOCAL])
    options = parser.parse_args(arguments)
    check_out(options.out)
    check_depths(options)
    return options


def candidates(config: Config, options: argparse.Namespace, training: Training) -> list[NetworkCosts]:
    """The costs of the network, in FLOPs or nanoseconds, with heads of each kind."""
    depths = range(options.min_depth, options.max_depth + 1)
    kinds = candidate_costs(config, depths, training.amp, options.heads)
    if options.cost == 'flops':
        return kinds
    return timed_candidates(config, kinds, training.batch_size, training.states, training.amp)


def search(kinds: Sequence[NetworkCosts]) -> Frontier:
    """Finds the frontier, with a progress bar."""
    with Progress(transient=True) as progress:
        task = progress.add_task('searching', total=1.0)
        return find_frontier(kinds, lambda share: progress.update(task, completed=share))


def planned_settings(plan: Plan, names: Sequence[str], config: Config, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the command line and the plan change."""
    planned = to_config(plan, names, config.model, kept_settings(config.model), config.get('custom_hooks', []))
    settings = given_settings(config, given)
    return {**settings, **planned, 'model': {**settings.get('model', {}), **planned['model']}}


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, searches, and writes the report and the config of the chosen plan."""
    options = parse_arguments(arguments)
    given = given_options(options)
    config = read_training(options.config, given)
    budget = parse_size(options.budget, '--budget') if options.budget is not None else None
    training = Training(config.train_dataloader.batch_size, optimizer_states(config), trains_in_autocast(config))
    kinds = candidates(config, options, training)
    names = kinds[0].names
    frontier = search(kinds)
    chosen = choose(frontier, budget, training)
    name = Path(options.config).stem
    title = f'{name}: memory against compute, batch {training.batch_size}, {config.model.image_size} pixels'
    settings = planned_settings(chosen, names, config, given)
    snippet = options.out / f'{name}_planned.py'
    markdown = to_markdown(title, frontier, chosen, names, training, snippet)
    data = {**to_json(frontier, chosen, names, training), 'config': settings}
    write_report(options.out, 'plan', markdown, data, plot(frontier, chosen, title))
    totals = [format_size(memory_of(plan, training).total) for plan in (chosen, frontier.reference)]
    comment = (
        f'{describe(chosen, names)}: {totals[0]} instead of {totals[1]}, for a batch of {training.batch_size} images of '
        f'{config.model.image_size} pixels, which the transforms must produce'
    )
    write_text(snippet, to_text(settings, Path(config.filename).resolve(), comment))
    print(f'wrote {snippet}')


if __name__ == '__main__':
    main()
