"""A comparison of detectors as one HTML page, with plots and photographs."""

import itertools
from collections.abc import Sequence

from markupsafe import Markup

from auglocal_mm.errors import InputError
from auglocal_mm.html import Section, from_markdown, page
from auglocal_mm.transfer.comparison import Comparison
from auglocal_mm.transfer.comparison_report import (
    CATEGORIES,
    SIZE,
    difference_to_control,
    introduction,
    report_sections,
)
from auglocal_mm.transfer.intervals import Intervals
from auglocal_mm.transfer.page.figures import category_figures, convergence_figures, metric_figures, size_figures
from auglocal_mm.transfer.page.photographs import photographs
from auglocal_mm.transfer.page.verdict_sentences import verdict_sentences


def to_html(comparison: Comparison, title: str, intervals: Intervals | None, margin: float) -> str:
    """The page. What cannot be shown, such as photographs that are not there any more, is replaced by the reason.

    Args:
        comparison: What is reported.
        title: Its heading.
        intervals: Of the differences; without, there is no verdict, and there are no plots of differences.
        margin: Differences of AP up to this one do not matter, in points.
    """
    plots = {
        difference_to_control(comparison): metric_figures(comparison, intervals, margin),
        SIZE: size_figures(comparison),
        CATEGORIES: category_figures(comparison, intervals, margin),
    }
    sections = [Section('AP', _text(introduction(comparison)))]
    for heading, paragraphs in report_sections(comparison, intervals, margin).items():
        sections.append(Section(heading, _text(paragraphs) + plots.get(heading, Markup(''))))
    shown = {'Convergence': convergence_figures(comparison), 'Photographs': _photographs(comparison, intervals)}
    sections[-2:-2] = itertools.starmap(Section, shown.items())  # before the settings and the runs
    return page(title, verdict_sentences(comparison, intervals, margin), sections)


def _text(paragraphs: Sequence[str]) -> Markup:
    return from_markdown('\n\n'.join(paragraphs))


def _photographs(comparison: Comparison, intervals: Intervals | None) -> Markup:
    try:
        return photographs(comparison, intervals.seed if intervals else 0)
    except InputError as error:
        return Markup('<p>There are no photographs: {}.</p>').format(error)
