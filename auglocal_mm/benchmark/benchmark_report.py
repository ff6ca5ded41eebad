"""A benchmark of training as a table and a figure, from the data of its JSON file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from auglocal_mm.analysis.tables import markdown_table


def to_markdown(data: Mapping[str, Any]) -> str:
    """The report of ``benchmark.json``: a table and notes for each config."""
    machine = data['machine']
    where = machine['gpu'] or f'{machine["processor"]} ({machine["cores"]} cores; threads: {machine["threads"]})'
    parts = [
        f'# Training iterations on {where}',
        f'PyTorch {machine["torch"]}; {data["rounds"]} rounds of {data["iterations"]} iterations, each round and scheme in '
        'its own process. Time is the median (minimum to maximum), with a single thread that of the processor alone. Predicted '
        'is the sum of the times of single layers and of the optimizer, timed in the same process after the iterations, with the '
        'median of its errors by round. Activations are peak activation memory, counted tensor by tensor; saved is the peak '
        'during backward, without temporaries of the forward pass. Gradients are those of parameters: left after an iteration, '
        'and at their peak. The best rival of a local scheme is the fastest way to backpropagate within its '
        f'{"allocated memory" if data["device"] == "cuda" else "activations and gradients"}.',
    ]
    for entry in data['configs']:
        parts += _section(entry, data['device'])
    return '\n\n'.join(parts) + '\n'


def _section(entry: Mapping[str, Any], device: str) -> list[str]:
    schemes = entry['schemes']
    peak = 'peak allocated, reserved' if device == 'cuda' else 'peak RSS, above its start'
    header = (
        '',
        'ms',
        'predicted',
        'images/s',
        'time',
        'activations',
        'saved',
        peak,
        'gradients left, peak',
        'FLOPs',
        'best rival',
    )
    parts = [
        f'## {Path(entry["config"]).stem}: batch {entry["batch_size"]}, {entry["image_size"]} pixels, {entry["dtype"]}',
        markdown_table(header, [_row(scheme, device) for scheme in schemes]),
    ]
    ratio = entry['auglocal_to_released']
    if ratio:
        span = f'{min(ratio["rounds"]):.2f}x to {max(ratio["rounds"]):.2f}x by round'
        parts.append(f'AugLocal takes {ratio["median"]:.2f}x the time of AugLocal as released ({span}).')
    if entry['loader_images_per_second'] is not None:
        parts.append(
            f'The data loader alone gives {entry["loader_images_per_second"]:.0f} images/s with '
            f'{entry["loader_workers"]} workers.'
        )
    notes = [f'- {scheme["name"]}: {scheme["note"]}.' for scheme in schemes if scheme['note']]
    return [*parts, *(['\n'.join(notes)] if notes else [])]


def _row(scheme: Mapping[str, Any], device: str) -> tuple[str, ...]:
    if not scheme['possible']:
        return (scheme['name'], 'not possible', *[''] * 9)
    ratios = {key: f'{value:.2f}x' for key, value in scheme.get('relative', {}).items()}
    peaks = (scheme['peak_allocated'], scheme['peak_reserved'])
    if device == 'cpu':
        peaks = (scheme['peak_resident'], scheme['peak_resident'] - scheme['resident'])
    return (
        scheme['name'],
        f'{scheme["median_ms"]:.1f} ({scheme["min_ms"]:.1f} to {scheme["max_ms"]:.1f})',
        _predicted(scheme),
        f'{scheme["images_per_second"]:.1f}',
        ratios.get('time', ''),
        f'{mib(scheme["activations"])} MiB {ratios.get("activations", "")}',
        f'{mib(scheme["saved_activations"])} MiB {ratios.get("saved", "")}',
        f'{mib(peaks[0])}, {mib(peaks[1])} MiB',
        f'{mib(scheme["gradients"])}, {mib(scheme["peak_gradients"])} MiB',
        ratios.get('flops', ''),
        (scheme['rival'] or 'none') if 'rival' in scheme else '',
    )


def _predicted(scheme: Mapping[str, Any]) -> str:
    """The time that the planner predicts, and how far it is from the measured one of the same round."""
    if 'prediction_error' not in scheme:
        return ''
    return f'{median(scheme["predicted_ms"]):.1f} ({scheme["prediction_error"]:+.0%})'


def mib(size: float | None) -> str:
    """Bytes in MiB with one decimal; 0 without, and a question mark where they cannot be counted."""
    if size is None:
        return '?'
    return f'{size / 2**20:.1f}' if size else '0'


def plot(data: Mapping[str, Any]) -> Figure:
    """Time against activations, both relative to backpropagation: one panel for each config, one point for each scheme."""
    entries = data['configs']
    figure = Figure(figsize=(7 * len(entries), 5), dpi=150, layout='constrained')
    for axes, entry in zip(figure.subplots(1, len(entries), squeeze=False)[0], entries, strict=True):
        _panel(axes, [scheme for scheme in entry['schemes'] if 'activations' in scheme.get('relative', {})])
        axes.set_title(Path(entry['config']).stem)
    return figure


def _panel(axes: Axes, schemes: Sequence[Mapping[str, Any]]) -> None:
    points = [(scheme['relative']['activations'], scheme['relative']['time']) for scheme in schemes]
    for scheme, point in zip(schemes, points, strict=True):
        axes.plot(*point, 'o', label=scheme['name'])
    right, top = (1.25 * max(values) for values in zip(*points or [(1.0, 1.0)], strict=True))
    axes.set(xlabel='activations, relative to BP', ylabel='time of an iteration, relative to BP')
    axes.set(xlim=(0, right), ylim=(0, top))
    if schemes:
        axes.legend(fontsize=8)
    axes.spines[['top', 'right']].set_visible(False)
