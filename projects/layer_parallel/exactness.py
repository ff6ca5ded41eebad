"""Compares layer-parallel trainings with sequential ones, bit for bit, and tables what differs.

Every case trains 30 iterations on 80 images: in one process without a launcher, and in several processes that share the local
modules, over gloo on the CPU. With two replicas, the sequential training has two processes. Cases that are in the results are
skipped.
"""

import argparse
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from bitwise import Comparison, compare_trainings
from exactness_cases import EPOCHS, ITERATIONS, Case, all_cases, copy_images, training_config
from pydantic import BaseModel
from rich.progress import track
from train_processes import finish, start

from auglocal_mm.analysis.tables import markdown_table
from auglocal_mm.benchmark.summary import Machine, machine
from auglocal_mm.errors import InputError
from auglocal_mm.files.atomic import is_there, write_json
from auglocal_mm.files.json_file import Count, read_json
from auglocal_mm.launch.launch import command_line_tool

HERE = Path(__file__).parent


class Row(Comparison):
    """One case, trained by ``stages`` processes in each replica and compared with the sequential training."""

    network: str
    method: str
    precision: str
    option: str
    replicas: Count
    stages: Count

    def is_of(self, case: Case) -> bool:
        """Whether this is a row of ``case``."""
        return all(getattr(self, key) == value for key, value in case.key.items())


class Results(BaseModel):
    """The content of ``exactness.json``."""

    machine: Machine
    iterations: Count
    rows: list[Row]


def run_case(case: Case, images: Path, folder: Path) -> list[Row]:
    """Trains one case, all trainings at the same time, and compares each with the sequential one.

    Args:
        case: Of the trainings.
        images: Their images.
        folder: A new folder for their work_dirs.

    Returns:
        A row for each number of stages.
    """
    config = folder / 'config.py'
    folder.mkdir(parents=True)
    training_config(case, images).dump(config)
    started = [start(config, folder / 'sequential', case.replicas if case.replicas > 1 else 0)]
    for stages in case.stages:
        option = f'layer_parallel={stages}'
        started.append(start(config, folder / str(stages), case.replicas * stages, '--cfg-options', option))
    for each in started:
        finish(each)
    compared = {stages: compare_trainings(folder / 'sequential', folder / str(stages)) for stages in case.stages}
    return [Row(**case.key, stages=stages, **each.model_dump()) for stages, each in compared.items()]


def table(rows: Sequence[Row]) -> str:
    """What differs, by network, and by method and options."""
    cells: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        cells[_label(row)][row.network].append(row)
    networks = list(dict.fromkeys(row.network for row in rows))
    lines = [(label, *(_cell(found.get(network, [])) for network in networks)) for label, found in cells.items()]
    return markdown_table(('', *networks), lines)


def _label(row: Row) -> str:
    precision = '' if row.precision == 'float32' else row.precision
    replicas = f'{row.replicas} replicas' if row.replicas > 1 else ''
    return ', '.join(filter(None, [row.method, precision, row.option, replicas]))


def _cell(rows: Sequence[Row]) -> str:
    """The numbers of processes that share a network, and how many of all compared values differ."""
    if not rows:
        return ''
    processes = ', '.join(str(row.stages) for row in rows)
    different, values = sum(row.different for row in rows), sum(row.values for row in rows)
    return f'P = {processes}: {different} of {values:,} different'


def read_rows(path: Path) -> list[Row]:
    """The rows of earlier runs.

    Raises:
        InputError: The file does not have this shape.
    """
    return read_json(path, Results, 'restore or remove it').rows if is_there(path) else []


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, runs the cases that have no results yet, and prints the table.

    Raises:
        InputError: Something differs.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', type=Path, required=True, help='folder with train/<class>/ and val/<class>/')
    parser.add_argument('--out', type=Path, default=HERE / 'results', help='folder of exactness.json')
    options = parser.parse_args(arguments)
    path = options.out / 'exactness.json'
    rows = read_rows(path)
    missing = [case for case in all_cases() if not any(row.is_of(case) for row in rows)]
    with tempfile.TemporaryDirectory() as name:
        images = copy_images(options.data, Path(name) / 'images')
        for case in track(missing, description='comparing'):
            rows += run_case(case, images, Path(name) / 'case')
            shutil.rmtree(Path(name) / 'case')
            found = Results(machine=Machine(**machine('cpu')), iterations=EPOCHS * ITERATIONS, rows=rows)
            write_json(path, found.model_dump())
    print(table(rows))
    if any(row.different for row in rows):
        raise InputError(f'some trainings differ; {path} says where')


if __name__ == '__main__':
    main()
