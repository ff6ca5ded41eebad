from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from auglocal_mm.transfer.comparison import compare
from auglocal_mm.transfer.plot import plot

MakeWorkDir = Callable[..., Path]
Validation = Callable[..., dict[str, Any]]


def figure(make_work_dir: MakeWorkDir, validation: Validation) -> Figure:
    groups = {
        'BP': [make_work_dir(f'bp{seed}', {'t': [validation(12, box)]}) for seed, box in enumerate((0.40, 0.42))],
        'AugLocal': [make_work_dir('auglocal', {'t': [validation(12, 0.38, bbox_mAP_s=-1.0)]})],
    }
    return plot(compare(groups), 'ResNet-34')


def test_bars_are_the_means(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    box, mask = figure(make_work_dir, validation).axes
    heights = [round(patch.get_height(), 1) for patch in box.patches]
    assert heights == [41.0, 61.0, 51.0, 31.0, 41.0, 51.0, 38.0, 58.0, 48.0, 0.0, 38.0, 48.0]
    assert [text.get_text() for text in box.texts][6:] == ['38.0', '58.0', '48.0', 'n/a', '38.0', '48.0']
    assert [text.get_text() for text in mask.get_xticklabels()][:2] == ['mask AP', 'mask AP50']


def test_error_bars_only_where_there_are_several_runs(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    box = figure(make_work_dir, validation).axes[0]
    several, single = (container for container in box.containers if isinstance(container, BarContainer))
    assert single.errorbar is None
    _, _, (lines,) = several.errorbar.lines
    low, high = (point[1] for point in lines.get_segments()[0])
    assert (low, high) == pytest.approx((41 - 2**0.5, 41 + 2**0.5))


def test_legend_names_the_runs_and_state_stays_untouched(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    settings = dict(matplotlib.rcParams)
    drawn = figure(make_work_dir, validation)
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ['BP (n = 2)', 'AugLocal (n = 1)']
    assert dict(matplotlib.rcParams) == settings


def test_no_window_is_opened(make_work_dir: MakeWorkDir, validation: Validation) -> None:
    assert type(figure(make_work_dir, validation).canvas) is FigureCanvasBase
