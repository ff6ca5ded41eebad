"""Tables and figures of all stages, from their JSON files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from matplotlib.figure import Figure

from auglocal_mm.analysis.tables import markdown_table, write_figure
from auglocal_mm.files.atomic import write_text

GIB = 2**30
Stage = Mapping[str, Any]
"""The content of a stage's file."""


def write_reports(out: Path) -> None:
    """Writes ``report.md`` and the figures of the stages whose results are in ``out``."""
    found = {
        name: json.loads((out / f'{name}.json').read_text()) for name in TABLES if (out / f'{name}.json').is_file()
    }
    parts = ['# Results of the campaign']
    for name, stage in found.items():
        title, table = TABLES[name]
        parts += [f'## {title}', where(stage), table(stage)]
    write_text(out / 'report.md', '\n\n'.join(parts) + '\n')
    for name in ('tiny_imagenet', 'cifar10'):
        if name in found and accuracies(found[name]):
            write_figure(out / f'{name}.png', curves(found[name]))
    if found.get('speedups', {}).get('rows'):
        write_figure(out / 'speedups.png', bars(found['speedups']))


def where(stage: Stage) -> str:
    """The machine and the versions, and whether rows are missing."""
    machine, versions = stage['machine'], stage['versions']
    device = machine['gpu'] or f'{machine["processor"]} ({machine["cores"]} cores)'
    missing = '' if stage['complete'] else ' Stopped by its time limit: the same command adds the missing rows.'
    return f'{device}, PyTorch {versions["torch"]}, Python {versions["python"]}.{missing}'


def correctness_table(stage: Stage) -> str:
    """One row for each check."""
    rows = [(name, 'passed' if row['passed'] else 'failed', seen(row)) for name, row in stage['rows'].items()]
    return markdown_table(('check', '', 'seen'), rows)


def seen(row: Mapping[str, Any]) -> str:
    """What a check measured."""
    if 'error' in row:
        return row['error'][:200]
    if 'compared' in row:
        return f'{row["different"]} of {row["compared"]:,} values differ'
    differences = [value for name, value in row.items() if 'difference' in name]
    bar = f' (bar: {row["bar"]:g})' if 'bar' in row else ''
    return f'largest relative difference {differences[0]:.1e}{bar}' if differences else row.get('said', '')


def memory_table(stage: Stage) -> str:
    """One row for each network, precision and scheme; ratios are those to BP of the same network and precision."""
    rows = []
    for name, row in stage['rows'].items():
        network, precision, _ = name.split(', ', 2)
        rows.append((name, *memory_cells(row, stage['rows'].get(f'{network}, {precision}, BP', {}))))
    header = ('', 'ms', 'images/s', 'time', 'allocated', 'reserved', 'activations', 'predicted')
    return markdown_table(header, rows)


def memory_cells(row: Mapping[str, Any], reference: Mapping[str, Any]) -> list[str]:
    """Time, peak memory and activations of one scheme."""
    if 'times' not in row:
        return [row.get('error') or row['note'], *[''] * 6]
    seconds, activations, predicted = median(row['times']), row.get('activations'), row.get('predicted_activations')
    ratio = f'{seconds / median(reference["times"]):.2f}x' if 'times' in reference else ''
    return [
        f'{1000 * seconds:.1f}',
        f'{row["images"] / seconds:,.0f}',
        ratio,
        f'{row["peak_allocated"] / GIB:.2f} GiB',
        f'{row["peak_reserved"] / GIB:.2f} GiB',
        f'{activations / GIB:.2f} GiB' if activations else '',
        f'{predicted / GIB:.2f} GiB ({predicted / activations - 1:+.1%})' if predicted and activations else '',
    ]


def speedup_table(stage: Stage) -> str:
    """One row for each case, one column for each way to run it."""
    rows = stage['rows']
    cases, ways = (list(dict.fromkeys(name.rsplit(': ', 1)[part] for name in rows)) for part in (0, 1))
    cells = [(case, *(speedup_cell(rows, case, way) for way in ways)) for case in cases]
    return markdown_table(('', *ways), cells)


def speedup_cell(rows: Mapping[str, Any], case: str, way: str) -> str:
    """Milliseconds of an iteration, and how many times as fast it is as the plain one."""
    row, plain = rows.get(f'{case}: {way}'), rows.get(f'{case}: plain')
    if row is None or 'error' in row:
        return '' if row is None else row['error'][:80]
    gain = f', {plain["milliseconds"] / row["milliseconds"]:.2f}x' if way != 'plain' and plain else ''
    return f'{row["milliseconds"]:.1f} ms{gain}'


def bars(stage: Stage) -> Figure:
    """Images per second of each case, plain and replayed as a CUDA graph."""
    rows = stage['rows']
    cases = [name.removesuffix(': plain') for name in rows if name.endswith(': plain')]
    figure = Figure(figsize=(9, 4.5), dpi=150, layout='constrained')
    axes = figure.subplots()
    for offset, way in enumerate(('plain', 'CUDA graph')):
        values = [rows.get(f'{case}: {way}', {}).get('images_per_second', 0) for case in cases]
        axes.barh([index + 0.38 * offset for index in range(len(cases))], values, height=0.36, label=way)
    axes.set(yticks=[index + 0.19 for index in range(len(cases))], yticklabels=cases, xlabel='images per second')
    axes.invert_yaxis()
    axes.legend()
    axes.spines[['top', 'right']].set_visible(False)
    return figure


def accuracies(stage: Stage) -> dict[str, list[list[float]]]:
    """The top-1 of every epoch, for each scheme and seed."""
    found: dict[str, list[list[float]]] = {}
    for row in stage['rows'].values():
        if 'error' not in row:
            found.setdefault(row['scheme'], []).append(row['top1 by epoch'])
    return found


def accuracy_table(stage: Stage) -> str:
    """Top-1 of the last epoch by scheme, and the time of one iteration that has the GPU to itself."""
    alone = stage.get('schedule', {}).get('seconds of an iteration, alone', {})
    rows = [
        (
            scheme,
            with_spread([each[-1] for each in runs]),
            str(len(runs)),
            str(len(runs[0])),
            milliseconds(alone, scheme),
        )
        for scheme, runs in accuracies(stage).items()
    ]
    return markdown_table(('', 'top-1', 'seeds', 'epochs', 'iteration'), rows)


def milliseconds(alone: Mapping[str, float], scheme: str) -> str:
    """The time of an iteration, if it was measured."""
    return f'{1000 * alone[scheme]:.1f} ms' if scheme in alone else ''


def with_spread(values: Sequence[float]) -> str:
    """The mean, and the standard deviation of several values."""
    return f'{mean(values):.2f}' + (f' ± {stdev(values):.2f}' if len(values) > 1 else '')


def curves(stage: Stage) -> Figure:
    """Top-1 by epoch: a line for each scheme through the mean of its seeds, in the band between the lowest and the highest."""
    figure = Figure(figsize=(7, 4.5), dpi=150, layout='constrained')
    axes = figure.subplots()
    for scheme, runs in accuracies(stage).items():
        epochs = range(1, len(runs[0]) + 1)
        (line,) = axes.plot(epochs, [mean(values) for values in zip(*runs, strict=True)], label=scheme)
        low, high = ([choose(values) for values in zip(*runs, strict=True)] for choose in (min, max))
        axes.fill_between(epochs, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    axes.set(xlabel='epoch', ylabel='top-1 accuracy on the validation images (%)')
    axes.legend()
    axes.spines[['top', 'right']].set_visible(False)
    return figure


def detection_table(stage: Stage) -> str:
    """Box and mask AP in percent by pretraining."""
    schemes: dict[str, list[Mapping[str, float]]] = {}
    for row in stage['rows'].values():
        if 'metrics' in row:
            schemes.setdefault(row['scheme'], []).append(row['metrics'])
    columns = ('bbox_mAP', 'bbox_mAP_50', 'segm_mAP', 'segm_mAP_50')
    rows = [
        (scheme, *(with_spread([100 * each[f'coco/{name}'] for each in found]) for name in columns), str(len(found)))
        for scheme, found in schemes.items()
    ]
    return markdown_table(('', 'box AP', 'box AP50', 'mask AP', 'mask AP50', 'seeds'), rows)


TABLES = {
    'correctness': ('Correctness', correctness_table),
    'memory_and_time': ('Memory and time at 224 pixels', memory_table),
    'speedups': ('What pays', speedup_table),
    'tiny_imagenet': ('ResNet-34 on 100 classes of Tiny ImageNet', accuracy_table),
    'cifar10': ('ResNet-32 on CIFAR-10', accuracy_table),
    'coco': ('Mask R-CNN on coco_small', detection_table),
}
"""The stages with their titles."""
