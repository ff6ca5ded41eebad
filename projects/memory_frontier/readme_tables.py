"""Fills the tables of the READMEs from the results; each is between <!-- table: NAME --> and <!-- end -->."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Literal

from accuracy_report import table as accuracy_table
from pydantic import BaseModel, JsonValue, TypeAdapter

from auglocal_mm.analysis.filled_tables import Tables, fill_files
from auglocal_mm.analysis.tables import markdown_table
from auglocal_mm.files.json_file import Percent, Positive, read_json
from auglocal_mm.launch.launch import command_line_tool
from auglocal_mm.planning.sizes import format_size

HERE = Path(__file__).parent
READMES = (HERE / 'README.md', HERE.parents[1] / 'README.md')
RIVALS = tuple(f'rivals_resnet{depth}' for depth in (34, 50, 101))
PREDICTED = (
    *RIVALS,
    *(f'predicted_resnet{depth}_bfloat16' for depth in (34, 50, 101)),
)
BENCHMARKS = ('benchmark_float32', 'benchmark_bfloat16', 'benchmark_float32_deep')


class Plan(BaseModel):
    """A training scheme in ``plans.json``; without ``flops`` if it is impossible."""

    name: str
    note: str
    activations: Positive | None = None
    flops: Positive | None = None
    backpropagation: Positive | None = None


class Relative(BaseModel):
    """Time and activations relative to backpropagation."""

    time: Positive
    activations: Positive | None = None
    saved: Positive | None = None


class Possible(BaseModel):
    """A training scheme that was measured."""

    name: str
    possible: Literal[True]
    median_ms: Positive
    relative: Relative
    predicted_ms: list[Positive] | None = None
    prediction_error: float | None = None
    peak_gradients: int | None = None
    rival: str | None = None


class Impossible(BaseModel):
    """A training scheme that does not fit into memory."""

    name: str
    possible: Literal[False]


class Benchmark(BaseModel):
    """The benchmark of one config."""

    config: str
    dtype: str
    schemes: list[Possible | Impossible]


class Benchmarks(BaseModel):
    """The JSON of ``benchmark_training.py``."""

    configs: list[Benchmark]


class Cheapest(BaseModel):
    """The cheapest plan within a total memory; ``compute`` is relative to BP."""

    modules: int
    compute: Positive


class Total(BaseModel):
    """A row of ``total_memory.json``."""

    network: str
    batch: int
    total: Positive
    share: Positive
    best: Cheapest | None
    backpropagation: Cheapest | None


class Accuracy(BaseModel):
    """A row of ``accuracy_report.json``."""

    network: str
    training: str
    top1: list[Percent]
    overrides: dict[str, JsonValue]
    activations: Positive
    flops: Positive
    seconds: Positive


def read(name: str, shape: Any) -> Any:
    """One file of results, as plain values.

    Raises:
        InputError: It does not have this shape.
    """
    path = HERE / f'results/{name}.json'
    content = read_json(path, shape, 'restore it, or measure again')
    return TypeAdapter(shape).dump_python(content, exclude_unset=True)


def plans() -> str:
    """For each share and network, the plan in a real step, and the compute of backpropagation at the same budget."""
    networks = {
        name: {each['name']: each for each in entries} for name, entries in read('plans', dict[str, list[Plan]]).items()
    }
    bases = {name: schemes['BP'] for name, schemes in networks.items()}
    shares = [name for name in next(iter(networks.values())) if name.startswith('plan')]
    rows = [
        (share.removeprefix('plan '), *(_plan(networks[name][share], bases[name]) for name in networks))
        for share in shares
    ]
    return markdown_table(('at most', *networks), rows)


def _plan(plan: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    if 'flops' not in plan:
        return 'none'
    modules = re.match(r'K = (\d+)', plan['note'])
    activations, compute = plan['activations'] / base['activations'], plan['flops'] / base['flops']
    rival = f', BP {plan["backpropagation"]:.2f}x' if modules and plan['backpropagation'] else ''
    return f'{f"K={modules[1]}" if modules else "BP"}: {activations:.2f}x, {compute:.2f}x{rival}'


def benchmark() -> str:
    """Time of an iteration and activations of every training scheme, relative to backpropagation."""
    columns: dict[str, dict[str, str]] = {}
    for name in BENCHMARKS:
        for config in read(name, Benchmarks)['configs']:
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


def total() -> str:
    """For each share of the total memory of BP the compute of the cheapest plan, and of BP with the best checkpointing."""
    cells: dict[str, dict[float, str]] = {}
    for row in read('total_memory', list[Total]):
        name = f'{row["network"]}, batch {row["batch"]}: {format_size(row["total"])}'
        best, rival = row['best'], row['backpropagation']
        local = f'K={best["modules"]}: {best["compute"]:.2f}x' if best else 'none'
        cells.setdefault(name, {})[row['share']] = f'{local}, BP {rival["compute"]:.2f}x' if rival else local
    shares = list(dict.fromkeys(share for row in cells.values() for share in row))
    rows = [(name, *(row[share] for share in shares)) for name, row in cells.items()]
    return markdown_table(('total memory of BP', *(f'at most {share:.1f}x' for share in shares)), rows)


def rivals() -> str:
    """Ways to train with less memory, and the fastest way to backpropagate within that of each local scheme."""
    configs = [config for name in RIVALS for config in read(name, Benchmarks)['configs']]
    columns = [config['schemes'] for config in configs]
    names = dict.fromkeys(scheme['name'] for schemes in columns for scheme in schemes)
    found = [{scheme['name']: scheme for scheme in schemes} for schemes in columns]
    rows = [(name, *(cell for schemes in found for cell in _rival(schemes.get(name)))) for name in names]
    networks = [Path(config['config']).stem.split('_')[0] for config in configs]
    header = [f'{network.replace("resnet", "ResNet-")}{what}' for network in networks for what in ('', ', best rival')]
    return markdown_table(('', *header), rows)


def _rival(scheme: Mapping[str, Any] | None) -> tuple[str, str]:
    if scheme is None:
        return '', ''
    if not scheme['possible']:
        return 'none', ''
    relative = scheme['relative']
    memory = f'{relative["activations"]:.2f}x' if relative.get('activations') else f'saves {relative["saved"]:.2f}x'
    return f'{relative["time"]:.2f}x, {memory}', (scheme['rival'] or 'none') if 'rival' in scheme else ''


def predicted() -> str:
    """Real times, those that the planner predicts from single layers, and the median of the errors by round."""
    columns: dict[str, dict[str, str]] = {}
    for name in PREDICTED:
        for config in read(name, Benchmarks)['configs']:
            network = Path(config['config']).stem.split('_')[0].replace('resnet', 'ResNet-')
            found = [each for each in config['schemes'] if each.get('predicted_ms')]
            columns[f'{network}, {config["dtype"]}'] = {each['name']: _prediction(each) for each in found}
    order = ('BP', 'plan 0.50x', 'BP, plan 0.50x', 'plan 0.40x', 'BP, plan 0.40x', 'plan 0.30x', 'BP, plan 0.30x')
    rows = [(row, *(column.get(row, '') for column in columns.values())) for row in order]
    return markdown_table(('', *columns), rows)


def _prediction(scheme: Mapping[str, Any]) -> str:
    return f'{scheme["median_ms"]:.0f}, {median(scheme["predicted_ms"]):.0f} ms, {scheme["prediction_error"]:+.0%}'


def accuracy() -> str:
    """Top-1 beside the activations, FLOPs and time of the training."""
    return accuracy_table(read('accuracy_report', list[Accuracy]))


TABLES: Tables = {each.__name__: each for each in (plans, total, benchmark, rivals, predicted, accuracy)}


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, and writes or checks the tables."""
    fill_files(READMES, TABLES, __doc__, arguments)


if __name__ == '__main__':
    main()
