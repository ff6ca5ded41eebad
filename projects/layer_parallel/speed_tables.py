"""Tables of what two processes measured."""

from collections.abc import Sequence
from statistics import median

import speed
import timeline
from speed_cases import FULL, HALF, TWICE

from auglocal_mm.analysis.tables import markdown_table


def speeds() -> str:
    """Two processes against one, in the same rounds."""
    rows = []
    for case in speed.read_speeds().cases:
        alone, together = case.seconds['sequential'], case.seconds['layer-parallel']
        faster = [one / two for one, two in zip(alone, together, strict=True)]
        shares = [ratio / bound for ratio, bound in zip(faster, case.balance, strict=True)]
        cells = (
            _span(alone, ' s'),
            _span(together, ' s'),
            _span(faster, 'x'),
            _span(case.balance, 'x'),
            _span(shares, ''),
        )
        rows.append((case.name, *cells, f'{max(case.state["processes"]) / case.state["sequential"]:.2f}x'))
    header = ('one process', 'two processes', 'speed-up', 'balance', 'share', 'state of the fuller process')
    return markdown_table(('', *header), rows)


def waits() -> str:
    """Who waits in layer-parallel training, and how much longer modules take beside another process."""
    header = ('balance', 'beside another process', 'layer-parallel', 'slower process waits', 'faster process waits')
    return markdown_table(('', *header), [timeline.summary(case) for case in timeline.read_timelines().cases])


def against_bp() -> str:
    """Two processes against backpropagation by one and by both, in the same rounds."""
    rows = []
    for case in speed.read_speeds().cases:
        cells = [_span(case.seconds['BP'], ' s')]
        for own, rival in (('layer-parallel', HALF), (TWICE, FULL)):
            ratios = [one / other for one, other in zip(case.seconds[own], case.seconds[rival], strict=True)]
            cells += [_span(case.seconds[own], ' s'), _span(case.seconds[rival], ' s'), _span(ratios, 'x')]
        rows.append((case.name, *cells))
    names = ('layer-parallel', 'data-parallel BP', 'ratio')
    header = ('BP', *(f'{name}, {images} images' for images in (16, 32) for name in names))
    return markdown_table(('', *header), rows)


def predictions() -> str:
    """The seconds of an iteration by the planner beside the measured ones, and how far they are apart in the same round."""
    names = ('sequential', 'BP', 'layer-parallel', TWICE, HALF, FULL)
    rows = []
    for case in speed.read_speeds().cases:
        cells = []
        for name in names:
            measured, predicted = case.seconds[name], case.predicted[name]
            error = median(ours / theirs - 1 for ours, theirs in zip(predicted, measured, strict=True))
            cells.append(f'{median(predicted):.2f} s for {median(measured):.2f} s ({error:+.0%})')
        rows.append((case.name, *cells))
    header = ('one process', 'BP', 'two processes', '32 images', 'data-parallel BP, 8 + 8', 'data-parallel BP, 16 + 16')
    return markdown_table(('', *header), rows)


def _span(values: Sequence[float], unit: str) -> str:
    """The median, and the least and the largest."""
    return f'{median(values):.2f}{unit} ({min(values):.2f} to {max(values):.2f})'
