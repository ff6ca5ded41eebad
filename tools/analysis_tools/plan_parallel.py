"""Plans layer-parallel training on several devices: local modules, heads, what they recompute, and which device has which.

Predicts time, memory and traffic beside those of one device, data-parallel BP and pipelined BP, from times measured here or
from a given speed. Needs no data.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from math import inf
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from plan_memory import planned_settings as plan_settings

from auglocal_mm.analysis.tables import write_report
from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import write_text
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.planning.costs.candidates import candidate_costs, time_costs, update_seconds
from auglocal_mm.planning.costs.network_cost import NetworkCosts
from auglocal_mm.planning.costs.timed_costs import costs_at_speed
from auglocal_mm.planning.options import add_depths, add_options, check_depths, check_out, given_options, read_training
from auglocal_mm.planning.parallel.devices import Devices, parse_bandwidth, parse_latency
from auglocal_mm.planning.parallel.predictions import (
    CostsOf,
    all_predictions,
    fastest_by_bandwidth,
    layer_parallel,
)
from auglocal_mm.planning.parallel.report import advice, predictions_table, stages_table, to_json
from auglocal_mm.planning.parallel.stages import ParallelPlan, fastest_stages
from auglocal_mm.planning.search.frontier import Training
from auglocal_mm.planning.sizes import format_size, parse_size
from auglocal_mm.planning.training_config import optimizer_states, to_text, trains_in_autocast

BANDWIDTHS = [1e9 * number for number in (1, 2.5, 5, 10, 25, 50, 100, 200, 400)]


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options of the command line.

    Raises:
        InputError: An option is out of range.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of a classifier')
    parser.add_argument('--devices', type=int, required=True, metavar='P', help='number of devices')
    parser.add_argument(
        '--bandwidth', default='25Gbit', help='bandwidth of a link in each direction, per second; default: %(default)s'
    )
    parser.add_argument('--latency', default='20us', help='latency of a message; default: %(default)s')
    parser.add_argument('--device-memory', help='memory of each device, such as 24GiB; default: unlimited')
    parser.add_argument(
        '--tflops', type=float, help='speed of a device in TFLOP/s; default: times are measured on this machine'
    )
    add_depths(parser)
    add_options(parser, heads=['AugLocalHead', 'DGLHead'])
    options = parser.parse_args(arguments)
    check_out(options.out)
    check_depths(options)
    if options.devices < 2:
        raise InputError(f'--devices is {options.devices}, expected at least 2; for one device use plan_memory.py')
    if options.tflops is not None and not 0 < options.tflops < inf:
        raise InputError(
            f'--tflops is {options.tflops:g}; expected the TFLOP/s that a device reaches in training, as in 20'
        )
    return options


def candidates(config: Config, options: argparse.Namespace, training: Training) -> list[NetworkCosts]:
    """The network with heads of each kind, its times in place of FLOPs.

    Raises:
        InputError: There are fewer local layers than devices.
    """
    depths = range(options.min_depth, options.max_depth + 1)
    kinds = candidate_costs(config, depths, training.amp, options.heads)
    if len(kinds[0].layers) < options.devices:
        raise InputError(
            f'--devices is {options.devices}, but the network has {len(kinds[0].layers)} local layers; give at most as many, '
            'and train several replicas with the rest'
        )
    if options.tflops is not None:
        return [costs_at_speed(costs, options.tflops * 1e12) for costs in kinds]
    return time_costs(config, kinds, training.batch_size, training.amp)


def at_batch_sizes(config: Config, costs: NetworkCosts, training: Training, measured: bool) -> CostsOf:
    """The times of the network by the number of images in a batch, measured again for other numbers than that of the plan."""
    if not measured:
        return lambda images: costs
    network = replace(costs, heads={})

    @cache
    def costs_of(images: int) -> NetworkCosts:
        if images == training.batch_size:
            return costs
        return time_costs(config, [network], images, training.amp)[0]

    return costs_of


def choose(kinds: Sequence[NetworkCosts], training: Training, devices: Devices) -> tuple[NetworkCosts, ParallelPlan]:
    """The fastest plan of all kinds of heads.

    Raises:
        InputError: No plan fits the memory of the devices.
    """
    plans = [(costs, fastest_stages(costs, training, devices)) for costs in kinds]
    found = [(layer_parallel(costs, plan, training, devices), costs, plan) for costs, plan in plans if plan is not None]
    if not found:
        raise InputError(
            f'no plan fits into {format_size(devices.memory)} on each of {devices.number} devices for a batch of '
            f'{training.batch_size}; give a smaller --batch-size, more --devices or a larger --device-memory'
        )
    _, costs, plan = min(found, key=lambda each: each[0].seconds)
    return costs, plan


def planned_settings(
    plan: ParallelPlan, names: Sequence[str], config: Config, given: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings that the command line and the plan change."""
    settings = plan_settings(plan.plan, names, config, given)
    # Layer-parallel training is an executor itself.
    hooks = [{key: value for key, value in hook.items() if key != 'executor'} for hook in settings['custom_hooks']]
    return {
        **settings,
        'custom_hooks': hooks,
        'layer_parallel': {'_delete_': True, 'num': len(plan.stages), 'splits': plan.splits},
    }


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, searches, and writes the report and the config of the plan."""
    options = parse_arguments(arguments)
    given = given_options(options)
    config = read_training(options.config, given)
    memory = inf if options.device_memory is None else parse_size(options.device_memory, '--device-memory')
    links = parse_bandwidth(options.bandwidth), parse_latency(options.latency)
    states = optimizer_states(config)
    updates = update_seconds(states) if options.tflops is None else 0.0
    overlap = options.tflops is not None or torch.cuda.is_available()
    devices = Devices(options.devices, *links, memory, updates, overlap)
    training = Training(config.train_dataloader.batch_size, states, trains_in_autocast(config))
    costs, plan = choose(candidates(config, options, training), training, devices)
    costs_of = at_batch_sizes(config, costs, training, measured=options.tflops is None)
    predictions = all_predictions(costs_of, plan, training, devices)
    by_bandwidth = fastest_by_bandwidth(costs_of, plan, training, devices, BANDWIDTHS)
    name = Path(options.config).stem
    snippet = options.out / f'{name}_parallel.py'
    sections = [
        f'# {name}: {devices.number} devices, links of {options.bandwidth.removesuffix("/s")}/s, batch {training.batch_size}, '
        f'{config.model.image_size} pixels',
        predictions_table(predictions, training, devices),
        advice(predictions, devices, by_bandwidth),
        f'## The plan: {plan.plan.kind}, K = {len(plan.plan.modules)}',
        stages_table(costs, plan, training, devices),
        f'`torchrun --nproc_per_node {devices.number} tools/train.py {snippet} --launcher pytorch` trains it. How accurate it '
        'becomes is not predicted: few modules with light heads learn something else than many with deep ones.',
    ]
    settings = planned_settings(plan, costs.names, config, given)
    data = {**to_json(predictions, plan, training, devices), 'config': settings}
    write_report(options.out, 'plan', '\n\n'.join(sections) + '\n', data, None)
    comment = f'{devices.number} devices train its stages at the same time'
    write_text(snippet, to_text(settings, Path(config.filename).resolve(), comment))
    print(f'wrote {snippet}')


if __name__ == '__main__':
    main()
