"""A comparison of detectors as Markdown and as JSON."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from auglocal_mm.analysis.tables import cell, markdown_table
from auglocal_mm.transfer.comparison import Comparison, Statistic
from auglocal_mm.transfer.evaluation_log import METRICS
from auglocal_mm.transfer.interval_report import (
    category_paragraphs,
    explanation,
    intervals_to_json,
    name_to_json,
    verdict_paragraphs,
    with_interval,
)
from auglocal_mm.transfer.intervals import Intervals
from auglocal_mm.transfer.labels import NOT_AVAILABLE, backbones, label
from auglocal_mm.transfer.repeated_runs import number_of_backbones
from auglocal_mm.transfer.transfer_result import TransferResult
from auglocal_mm.transfer.verdict import MARGIN

HEADLINE = ('bbox_mAP', 'bbox_mAP_50', 'bbox_mAP_75', 'segm_mAP', 'segm_mAP_50', 'segm_mAP_75')
SIZES = ('bbox_mAP_s', 'bbox_mAP_m', 'bbox_mAP_l', 'segm_mAP_s', 'segm_mAP_m', 'segm_mAP_l')
SIZE, CATEGORIES = 'Small, medium and large objects', 'Categories'
"""Headings."""
MAX_SETTINGS = 20
MAX_CHARACTERS = 60


def to_markdown(
    comparison: Comparison, title: str = 'Transfer to COCO', intervals: Intervals | None = None, margin: float = MARGIN
) -> str:
    """Returns the report as text: tables of AP, of its differences, and of the settings that differ.

    Args:
        comparison: What is reported.
        title: Its heading.
        intervals: Of the differences; without, the report says why there are none.
        margin: Differences of AP up to this one do not matter, in points.
    """
    parts = [f'# {title}', *introduction(comparison)]
    for heading, paragraphs in report_sections(comparison, intervals, margin).items():
        parts += [f'## {cell(heading)}', *paragraphs]
    return '\n\n'.join(parts) + '\n'


def introduction(comparison: Comparison) -> list[str]:
    """What the numbers are, and the table of AP, as paragraphs in Markdown."""
    return [
        f'AP in points (x100), mean ± sample standard deviation where n > 1. The control is {cell(comparison.control)}. '
        'Each run is judged by its last evaluation, never by its best; differences are those of the unrounded means.',
        _headline_table(comparison),
    ]


def difference_to_control(comparison: Comparison) -> str:
    """A heading."""
    return f'Difference to {comparison.control}'


def report_sections(comparison: Comparison, intervals: Intervals | None, margin: float) -> dict[str, list[str]]:
    """The paragraphs of each section in Markdown, by their headings; takes what :func:`to_markdown` does."""
    difference = difference_to_control(comparison)
    sizes = ([name, *_values(comparison, name, SIZES)] for name in comparison.groups)
    runs = (f'- {cell(name)}: {_origin(run)}' for name, runs in comparison.groups.items() for run in runs)
    sections = {
        difference: [*explanation(comparison, intervals), _difference_table(comparison, intervals, HEADLINE)],
        'Verdict': verdict_paragraphs(comparison, intervals, margin),
        SIZE: [
            markdown_table(['', *map(label, SIZES)], sizes),
            f'{cell(difference)}:',
            _difference_table(comparison, intervals, SIZES),
        ],
        CATEGORIES: category_paragraphs(comparison, intervals),
        'Settings that differ': [_settings(comparison)],
        'Runs': ['\n'.join(runs)],
    }
    return {heading: paragraphs for heading, paragraphs in sections.items() if paragraphs}


def to_json(
    comparison: Comparison, title: str = 'Transfer to COCO', intervals: Intervals | None = None, margin: float = MARGIN
) -> dict[str, Any]:
    """Returns everything that was compared, as values that JSON can store. Takes what :func:`to_markdown` does."""
    return {
        'title': title,
        'unit': 'AP points (x100)',
        'control': comparison.control,
        'bootstrap': intervals_to_json(comparison, intervals, margin),
        'names': {
            name: _name_to_json(comparison, name) | name_to_json(comparison, intervals, margin, name)
            for name in comparison.groups
        },
        'settings_that_differ': {key: dict(values) for key, values in comparison.settings_that_differ.items()},
    }


def _name_to_json(comparison: Comparison, name: str) -> dict[str, Any]:
    return {
        'n': len(comparison.groups[name]),
        'backbones': number_of_backbones(comparison.groups[name]),
        'metrics': {metric: vars(comparison.statistics[name][metric]) for metric in METRICS},
        'difference_to_control': dict(comparison.differences[name]),
        'runs': [_run_to_json(run) for run in comparison.groups[name]],
    }


def _run_to_json(run: TransferResult) -> dict[str, Any]:
    return {
        'work_dir': str(run.work_dir),
        'evaluation': run.evaluation.run,
        'epoch': run.evaluation.epoch,
        'iteration': run.evaluation.iteration,
        'source': str(run.evaluation.source),
        'metrics': dict(run.evaluation.metrics),
        'config': str(run.config.path),
        'pretraining': {'checkpoint': run.pretraining.checkpoint, 'record': dict(run.pretraining.record)},
    }


def _headline_table(comparison: Comparison) -> str:
    header = ['', 'pretraining', 'pretraining top-1', 'n', 'epoch', *map(label, HEADLINE)]
    rows = [
        [
            name,
            _distinct(run.pretraining.method or NOT_AVAILABLE for run in runs),
            _top1(runs),
            _number(runs),
            _distinct(_epoch(run) for run in runs),
            *_values(comparison, name, HEADLINE),
        ]
        for name, runs in comparison.groups.items()
    ]
    return markdown_table(header, rows)


def _number(runs: Sequence[TransferResult]) -> str:
    """Of the runs, and of the backbones that they share."""
    number = number_of_backbones(runs)
    return f'{len(runs)} ({backbones(number)})' if number < len(runs) else f'{len(runs)}'


def _difference_table(comparison: Comparison, intervals: Intervals | None, metrics: Sequence[str]) -> str:
    found = {} if intervals is None else intervals.metrics
    rows = [
        [name, *(with_interval(values[metric], found.get(name, {}).get(metric)) for metric in metrics)]
        for name, values in comparison.differences.items()
        if name != comparison.control
    ]
    return markdown_table(['', *map(label, metrics)], rows)


def _settings(comparison: Comparison) -> str:
    differing = comparison.settings_that_differ
    if not differing:
        return 'None: the configs agree in everything but what identifies a run, and so do the epochs of evaluation.'
    rows = [
        [f'`{key}`', *(_values_of(values, runs) for runs in comparison.groups.values())]
        for key, values in list(differing.items())[:MAX_SETTINGS]
    ]
    table = markdown_table(['setting', *comparison.groups], rows)
    left = len(differing) - len(rows)
    return table + (f'\n\n... and {left} more, all in the JSON.' if left else '')


def _values_of(values: Mapping[str, Any], runs: Iterable[TransferResult]) -> str:
    text = _distinct(values[str(run.work_dir)] for run in runs)
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 3] + '...'


def _origin(run: TransferResult) -> str:
    backbone, start = run.pretraining.checkpoint or NOT_AVAILABLE, run.pretraining.record.get('initial_weights')
    trained = f', which was trained from `{start}`' if start else ''
    return f'{run.evaluation.run} of epoch {_epoch(run)} in `{run.evaluation.source}`, backbone `{backbone}`{trained}'


def _top1(runs: Iterable[TransferResult]) -> str:
    """Summarises over the backbones, each counted once: detectors with several seeds may share one."""
    top1 = {run.pretraining.identity: run.pretraining.top1 for run in runs}
    return _statistic(Statistic.of(list(top1.values())), decimals=2)


def _epoch(run: TransferResult) -> str:
    return NOT_AVAILABLE if run.evaluation.epoch is None else str(run.evaluation.epoch)


def _values(comparison: Comparison, name: str, metrics: Sequence[str]) -> list[str]:
    return [_statistic(comparison.statistics[name][metric]) for metric in metrics]


def _statistic(statistic: Statistic, decimals: int = 1) -> str:
    if statistic.mean is None:
        return NOT_AVAILABLE
    spread = '' if statistic.std is None else f' ± {statistic.std:.{decimals}f}'
    return f'{statistic.mean:.{decimals}f}{spread}'


def _distinct(values: Iterable[Any]) -> str:
    """Returns the distinct values of the runs of one name: usually one."""
    return ' / '.join(dict.fromkeys(str(value) for value in values))
