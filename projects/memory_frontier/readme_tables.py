"""Fills the tables of the READMEs from the files of results; each stands between <!-- table: NAME --> and <!-- end -->."""

import argparse
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from accuracy_report import table as accuracy_table

from auglocal_mm.analysis.report import markdown_table
from auglocal_mm.engine.launch import command_line_tool
from auglocal_mm.errors import InputError
from auglocal_mm.files import write_text

HERE = Path(__file__).parent
READMES = (HERE / 'README.md', HERE.parents[1] / 'README.md')
BENCHMARKS = ('benchmark_float32', 'benchmark_bfloat16', 'benchmark_float32_deep')
PLACE = re.compile(r'(<!-- table: (\w+) -->\n).*?(<!-- end -->)', re.DOTALL)


def read(name: str) -> Any:
    """One file of results."""
    return json.loads((HERE / f'results/{name}.json').read_text(encoding='utf-8'))


def plans() -> str:
    """For each share and network the plan in a real step, and what backpropagation computes within the same."""
    networks = {name: {each['name']: each for each in entries} for name, entries in read('plans').items()}
    bases = {name: ways['BP'] for name, ways in networks.items()}
    shares = [name for name in next(iter(networks.values())) if name.startswith('plan')]
    rows = [
        (share.removeprefix('plan '), *(_plan(networks[name][share], bases[name]) for name in networks))
        for share in shares
    ]
    return markdown_table(('at most', *networks), rows)


def _plan(way: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    if 'flops' not in way:
        return 'none'
    modules = re.match(r'K = (\d+)', way['note'])
    held, computed = way['activations'] / base['activations'], way['flops'] / base['flops']
    rival = f', BP {way["backpropagation"]:.2f}x' if modules and way['backpropagation'] else ''
    return f'{f"K={modules[1]}" if modules else "BP"}: {held:.2f}x, {computed:.2f}x{rival}'


def benchmark() -> str:
    """Time of an iteration and activations of every way to train, relative to backpropagation's."""
    columns: dict[str, dict[str, str]] = {}
    for name in BENCHMARKS:
        for config in read(name)['configs']:
            network = Path(config['config']).stem.split('_')[0].replace('resnet', 'ResNet-')
            columns[f'{network}, {config["dtype"]}'] = {each['name']: _scheme(each) for each in config['schemes']}
    rows = dict.fromkeys(name for column in columns.values() for name in column)
    return markdown_table(
        ('', *columns), [(row, *(column.get(row, '') for column in columns.values())) for row in rows]
    )


def _scheme(scheme: Mapping[str, Any]) -> str:
    if not scheme['possible']:
        return 'none'
    relative = scheme['relative']
    milliseconds = f' = {scheme["median_ms"]:.0f} ms' if scheme['name'] == 'BP' else ''
    return f'{relative["time"]:.2f}x{milliseconds}, {relative["activations"]:.2f}x'


def accuracy() -> str:
    """Top-1 beside what the training holds, computes and takes."""
    return accuracy_table(read('accuracy_report'))


TABLES: dict[str, Callable[[], str]] = {'plans': plans, 'benchmark': benchmark, 'accuracy': accuracy}


def fill(text: str) -> str:
    """``text`` with every table as the results have it.

    Raises:
        InputError: A table has an unknown name.
    """
    unknown = {name for _, name, _ in PLACE.findall(text)} - set(TABLES)
    if unknown:
        raise InputError(f'there is no table {sorted(unknown)[0]}; choose one of {", ".join(TABLES)}')
    return PLACE.sub(lambda place: f'{place[1]}{TABLES[place[2]]()}\n{place[3]}', text)


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, and writes or checks the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--check', action='store_true', help='write nothing, and fail where a table is out of date')
    options = parser.parse_args(arguments)
    for path in READMES:
        text = path.read_text(encoding='utf-8')
        filled = fill(text)
        if options.check and filled != text:
            raise InputError(f'the tables of {path} are not those of the results; run this without --check')
        if filled != text:
            write_text(path, filled)
            print(f'wrote {path}')


if __name__ == '__main__':
    main()
