"""Measures time and memory of training iterations: backpropagation and its rivals, AugLocal as released and as here, and plans.

Images and labels are random, so that no data are needed. Every scheme runs in its own process, alternating with the others.
"""

import argparse
import os
import time
from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from rich.progress import Progress

from auglocal_mm.analysis.tables import write_report
from auglocal_mm.benchmark.benchmark_report import plot, to_markdown
from auglocal_mm.benchmark.measurement import Measurement, measure_alone
from auglocal_mm.benchmark.schemes import Scheme, check_auglocal, training_schemes
from auglocal_mm.benchmark.summary import add_ratios, add_rivals, against_released, machine, summarise
from auglocal_mm.errors import InputError
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.planning.options import add_options, check_out, given_options, read_training
from auglocal_mm.planning.plan import AUGLOCAL

BATCHES = 50
"""Maximum number of batches over which the data loader is timed."""


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Reads the command line.

    Raises:
        InputError: A number is out of range, the folder cannot be written, or a GPU is requested and there is none.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('configs', nargs='+', metavar='CONFIG', help='config of an AugLocal classifier')
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    parser.add_argument('--device', choices=('cpu', 'cuda'), default=device, help='default: cuda if available')
    parser.add_argument('--iterations', type=int, default=5, help='timed iterations per process; default: %(default)s')
    parser.add_argument('--rounds', type=int, default=3, help='processes per scheme; default: %(default)s')
    parser.add_argument(
        '--plans',
        type=float,
        nargs='*',
        default=[0.5, 0.35, 0.25],
        metavar='SHARE',
        help='budgets of plans, relative to the activations of BP',
    )
    parser.add_argument(
        '--cost',
        choices=('flops', 'time'),
        default='flops',
        help='what plans minimise; time is measured layer by layer, and compared with that of an iteration; default: %(default)s',
    )
    parser.add_argument(
        '--compiled',
        action='store_true',
        help='also compiled BP with budgets of activations (torch.compile), which takes minutes to build',
    )
    parser.add_argument(
        '--only', nargs='+', metavar='TEXT', help='measure BP, and the schemes whose names contain one of these'
    )
    parser.add_argument('--loader', action='store_true', help="also time the config's training data loader")
    add_options(parser, heads=[AUGLOCAL])
    options = parser.parse_args(arguments)
    for name in ('batch_size', 'image_size', 'iterations', 'rounds'):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise InputError(f'--{name.replace("_", "-")} is {value}; expected at least 1')
    for share in options.plans:
        if not 0 < share <= 1:
            raise InputError(f'--plans has {share:g}; expected shares of the activations of BP above 0 and at most 1')
    if options.device == 'cuda' and not torch.cuda.is_available():
        raise InputError('--device is cuda, but PyTorch finds no GPU; repair the driver, or give --device cpu')
    check_out(options.out)
    return options


def read_auglocal_config(path: str, options: argparse.Namespace) -> Config:
    """Reads a config and writes the options of the command line into it.

    Raises:
        InputError: It is not the config of an AugLocal classifier.
    """
    config = read_training(path, given_options(options))
    check_auglocal(config, path)
    return config


def loader_speed(config: Config) -> float:
    """Images per second of the training data loader alone, over up to ``BATCHES`` batches after the first.

    Raises:
        InputError: There is no second batch.
    """
    batches = iter(Runner.build_dataloader(config.train_dataloader, seed=0))
    next(batches, None)  # starts the workers
    start = time.perf_counter()
    images = sum(len(batch['inputs']) for batch in islice(batches, BATCHES))
    if not images:
        raise InputError(
            f'--loader needs two batches of {config.train_dataloader.batch_size} images, but the training data have fewer; '
            'give a smaller --batch-size'
        )
    return images / (time.perf_counter() - start)


def chosen_schemes(config: Config, options: argparse.Namespace) -> list[Scheme]:
    """The schemes that the command line asks for; BP, which the others are relative to, is always among them.

    Raises:
        InputError: A text is in no name.
    """
    schemes = training_schemes(config, options.plans, options.device, options.compiled, options.cost, options.heads)
    names = ', '.join(scheme.name for scheme in schemes)
    for text in options.only or ():
        if text not in names:
            raise InputError(f'--only has {text!r}, which is in none of the names: {names}')
    return [each for each in schemes if each.name == 'BP' or any(text in each.name for text in options.only or [''])]


def run_in_turn(schemes: Sequence[Scheme], options: argparse.Namespace) -> list[list[Measurement] | str]:
    """Measures all schemes in turn, round by round, so that a drift of the machine affects all alike.

    Returns:
        For each scheme its measurements, or the reason for having none.
    """
    results: list[list[Measurement] | str] = [[] if scheme.config else scheme.note for scheme in schemes]
    with Progress(transient=True) as progress:
        task = progress.add_task('measuring', total=options.rounds * len(schemes))
        for _ in range(options.rounds):
            for index, scheme in enumerate(schemes):
                done = results[index]
                if not isinstance(done, str):
                    found = measure_alone(scheme, options.iterations, options.device)
                    results[index] = found if isinstance(found, str) else [*done, found]
                progress.advance(task)
    return results


def describe_config(
    path: str,
    config: Config,
    device: str,
    speed: float | None,
    results: Sequence[tuple[Scheme, list[Measurement] | str]],
) -> dict[str, Any]:
    """The data of the report for one config."""
    schemes = [summarise(scheme, found) for scheme, found in results]
    add_ratios(schemes)
    add_rivals(schemes, device)
    return {
        'config': path,
        'batch_size': config.train_dataloader.batch_size,
        'image_size': config.model.image_size,
        'dtype': config.optim_wrapper.get('dtype', 'float32'),
        'loader_images_per_second': speed,
        'loader_workers': config.train_dataloader.get('num_workers', 0),
        'auglocal_to_released': against_released(schemes),
        'schemes': schemes,
    }


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, measures and writes the report."""
    options = parse_arguments(arguments)
    if options.device == 'cpu':
        os.environ['CUDA_VISIBLE_DEVICES'] = ''  # MMEngine would use a visible GPU
    configs = [read_auglocal_config(path, options) for path in options.configs]
    speeds = [loader_speed(config) if options.loader else None for config in configs]
    groups = [chosen_schemes(config, options) for config in configs]
    results = iter(run_in_turn([scheme for group in groups for scheme in group], options))
    data = {
        'machine': machine(options.device),
        'device': options.device,
        'iterations': options.iterations,
        'rounds': options.rounds,
        'configs': [
            describe_config(
                path, config, options.device, speed, list(zip(group, islice(results, len(group)), strict=True))
            )
            for path, config, speed, group in zip(options.configs, configs, speeds, groups, strict=True)
        ],
    }
    write_report(options.out, 'benchmark', to_markdown(data), data, plot(data))


if __name__ == '__main__':
    main()
