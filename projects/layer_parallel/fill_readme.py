"""Fills the tables of the README from the results; each is between <!-- table: NAME --> and <!-- end -->."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import exactness
import killed
from layouts import Cuts
from module_seconds import Measurement, read_measurement
from rates import IMAGES
from records import Row, Simulation, read_simulation
from sentences import sentences
from speed_tables import against_bp, predictions, speeds, waits

from auglocal_mm.analysis.filled_tables import Tables, fill_files
from auglocal_mm.analysis.tables import markdown_table
from auglocal_mm.files.json_file import read_json
from auglocal_mm.launch.launch import command_line_tool

HERE = Path(__file__).parent
README = HERE / 'README.md'
CPU, GPU, MIXED = 'measured thread', 'assumed GPU', 'assumed GPU, features in bfloat16'
RIVALS = {'data-parallel BP': dict(method='data-parallel BP'), 'pipelined BP': dict(method='pipelined BP')}
LIGHT = ('DGL', 'InfoPro')

measurement: Callable[[], Measurement] = cache(read_measurement)
simulation: Callable[[], Simulation] = cache(read_simulation)


def methods(network: str) -> dict[str, dict[str, str]]:
    """All ways to train a network on several devices: label -> values of their rows."""
    heads = measurement().networks[network].heads
    local = {
        f'{scheme}, {kind}': dict(method='layer-parallel', scheme=scheme, heads=kind)
        for scheme in ('coarse', 'layer by layer')
        for kind in heads
    }
    return {**RIVALS, **local}


def costs() -> str:
    """Seconds of backpropagation, and of local learning layer by layer relative to it."""
    kinds = list(dict.fromkeys(kind for network in measurement().networks.values() for kind in network.heads))
    rows = []
    for name, network in measurement().networks.items():
        base = Cuts(network, 'BP').whole().total
        local = {kind: Cuts(network, 'layer by layer', kind).whole().total / base for kind in network.heads}
        cells = (f'{local[kind]:.2f}x' if kind in local else '' for kind in kinds)
        rows.append((name, str(len(network.layers)), f'{1000 * base:.0f} ms', *cells))
    return markdown_table(('', 'local layers', 'BP', *kinds), rows)


def required() -> str:
    """ResNet-101 in coarse modules with light heads on four devices at 25 Gbit/s."""
    rows = []
    for device in (CPU, GPU, MIXED):
        where = dict(network='ResNet-101', device=device, devices=4, bandwidth=25)
        rivals = [simulation().one(**where, **values) for values in RIVALS.values()]
        for kind in filter(measurement().networks['ResNet-101'].heads.__contains__, LIGHT):
            row = simulation().one(**where, method='layer-parallel', scheme='coarse', heads=kind)
            speedups = (f'{each:.2f}x' for each in (row.one_replica or 0.0, *(rival.speedup for rival in rivals)))
            rows.append((device, kind, *speedups, f'{_megabytes(row.output)} MB'))
    return markdown_table(('devices', 'heads', 'layer-parallel, K = 4', *RIVALS, 'most traffic per image'), rows)


def devices() -> str:
    """Speed-ups of ResNet-101 by number of devices."""
    return _by('devices', (2, 4, 8, 16, 32, 64), 'ResNet-101', bandwidth=25)


def bandwidth() -> str:
    """Speed-ups of ResNet-101 on 16 devices by bandwidth."""
    return _by('bandwidth', (1, 10, 25, 100, 400), 'ResNet-101', devices=16)


def _by(key: str, values: Sequence[int], network: str, **where: int) -> str:
    rows = []
    for label, own in methods(network).items():
        found = (simulation().one(network=network, device=GPU, **where, **own, **{key: value}) for value in values)
        rows.append((label, *map(_cell, found)))
    unit = ' Gbit/s' if key == 'bandwidth' else ' devices'
    return markdown_table(('', *(f'{value}{unit}' for value in values)), rows)


def _cell(row: Row) -> str:
    """The speed-up, and the stages where there are several."""
    layout = f' ({row.devices // row.stages} x {row.stages})' if row.stages > 1 else ''
    return f'{row.speedup:.2f}x{layout}'


def networks() -> str:
    """Speed-ups of all networks on 4 and 16 devices."""
    labels = ('data-parallel BP', 'pipelined BP', 'coarse, DGL', 'coarse, InfoPro', 'coarse, AugLocal d=2')
    rows = []
    for name in measurement().networks:
        for count in (4, 16):
            where = dict(network=name, device=GPU, devices=count, bandwidth=25)
            known = methods(name)
            cells = (_cell(simulation().one(**where, **known[label])) if label in known else '' for label in labels)
            rows.append((name, str(count), *cells))
    return markdown_table(('', 'devices', *labels), rows)


def slowness() -> str:
    """Speeds of ResNet-101 on 16 devices with jitter and a straggler, relative to those without."""
    rows = []
    cases = ((0.05, 1.0), (0.2, 1.0), (0.0, 1.5), (0.0, 2.0), (0.2, 2.0))
    for label, own in methods('ResNet-101').items():
        where = dict(network='ResNet-101', device=GPU, devices=16, bandwidth=25, **own)
        nominal = simulation().one(**where).rate
        found = (simulation().one(**where, jitter=jitter, straggler=factor).rate for jitter, factor in cases)
        rows.append((label, *(f'{rate / nominal:.2f}x' for rate in found)))
    names = (' and '.join(_case(*case)) for case in cases)
    return markdown_table(('', *names), rows)


def _case(jitter: float, factor: float) -> list[str]:
    return [*([f'jitter {jitter:.0%}'] if jitter else []), *([f'straggler {factor:g}x'] if factor > 1 else [])]


def state() -> str:
    """Gradients of the fullest device and traffic, for ResNet-101 on four devices."""
    rows = []
    for label, own in methods('ResNet-101').items():
        row = simulation().one(network='ResNet-101', device=GPU, devices=4, bandwidth=25, **own)
        traffic = row.output if row.stages > 1 else 2 * 3 / 4 * row.gradients / IMAGES
        rows.append((label, f'{row.gradients / 1e6:.0f} MB', f'{_megabytes(traffic)} MB'))
    return markdown_table(('', 'gradients of the fullest device', 'most traffic of a link per image'), rows)


def _megabytes(size: float) -> str:
    return f'{size / 1e6:.2f}'


def setting() -> str:
    """How the times were measured, and how fast the assumed GPU is."""
    machine, sizes = measurement().machine, measurement().batch_sizes
    batches = ', '.join(f'{kind} {size}' for kind, size in sizes.items())
    return (
        f'{machine["processor"]}, {machine["threads"]} thread, {machine["instructions"]}, PyTorch {machine["torch"]}, float32, '
        f'{measurement().image_size} pixels, median of {measurement().rounds} rounds; images in a batch: {batches}. The assumed '
        f'GPU is {simulation().gpu_speed:.0f} times as fast.'
    )


def ten_sentences() -> str:
    """What the results say."""
    return sentences(simulation())


def exact() -> str:
    """What differs from one process."""
    return exactness.table(exactness.read_rows(HERE / 'results/exactness.json'))


def kills() -> str:
    """What is lost when a process is killed."""
    found = read_json(HERE / 'results/killed.json', killed.Results, 'restore it, or run killed.py')
    return killed.table(found.kills)


TABLES: Tables = {
    'setting': setting,
    **{each.__name__: each for each in (exact, kills, speeds, waits, against_bp, predictions)},
    'sentences': ten_sentences,
    **{each.__name__: each for each in (costs, required, devices, bandwidth, networks, slowness, state)},
}


@command_line_tool
def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line, and writes or checks the tables."""
    fill_files((README,), TABLES, __doc__, arguments)


if __name__ == '__main__':
    main()
