"""Intervals and verdicts of a comparison, as text and as JSON."""

import math
from collections.abc import Sequence
from typing import Any

from auglocal_mm.analysis.tables import cell, markdown_table
from auglocal_mm.transfer.comparison import Comparison
from auglocal_mm.transfer.intervals import FEWEST, Intervals, without_matches
from auglocal_mm.transfer.labels import NOT_AVAILABLE, backbones, images, label, signed
from auglocal_mm.transfer.paired_interval import LEVEL, Interval
from auglocal_mm.transfer.repeated_runs import number_of_backbones
from auglocal_mm.transfer.verdict import Verdict, judge

JUDGED = ('bbox_mAP', 'segm_mAP')
MAX_CATEGORIES = 20
NO_VERDICT = 'There is no verdict: no AP is known both of the control and of another name.'


def with_interval(difference: float | None, interval: Interval | None, decimals: int = 1) -> str:
    """A difference and its interval, unless that is infinite: ``+0.5 [+0.1, +0.9]``."""
    if interval is None or math.isinf(interval.half_width):
        return signed(difference, decimals)
    return f'{signed(difference, decimals)} [{signed(interval.low, decimals)}, {signed(interval.high, decimals)}]'


def explanation(comparison: Comparison, intervals: Intervals | None) -> list[str]:
    """What the intervals are, or why there are none."""
    if intervals is None:
        lacking = without_matches(comparison)
        return [
            f'There are no intervals: {", ".join(f"`{path}`" for path in lacking)} {"has" if len(lacking) == 1 else "have"} no '
            'recorded matches, as after an evaluation by an earlier version or another metric. To get intervals, test the '
            'checkpoint with `tools/test.py` in a new work_dir, and compare that one.'
        ]
    lines = [
        f'In brackets: {100 * LEVEL:.0f} % intervals, from {intervals.replicates} resamples of '
        f'the {images(intervals.num_images)}, on each of which all detectors are evaluated.'
    ]
    single, shared = _with_one_seed(comparison), _with_shared_backbones(comparison)
    if len(single) < len(comparison.groups):
        lines.append("They include the spread between seeds, by Student's t.")
    if single:
        lines.append(f'Not included, because unknown, is the spread between seeds of {", ".join(single)} (one seed).')
    if shared:
        lines.append(f'Not fully included is the spread between pretrainings of {", ".join(shared)}.')
    if intervals.rare:
        lines.append(
            f'Categories with objects in fewer than {FEWEST} images, of which there are {len(intervals.rare)}, have no '
            'intervals of their own, and what they add to the spread of the means is underestimated.'
        )
    if any(each and math.isinf(each.half_width) for found in intervals.metrics.values() for each in found.values()):
        lines.append(f'APs without brackets depend on objects in fewer than {FEWEST} images: too few for an interval.')
    return [' '.join(lines)]


def verdict_paragraphs(comparison: Comparison, intervals: Intervals | None, margin: float) -> list[str]:
    """The verdicts and their reasons, as paragraphs and tables."""
    if intervals is None:
        return []
    header = ['', 'metric', 'difference', 'verdict', 'between images', 'between seeds', 'would decide']
    rows = [
        [name, label(metric), *_verdict_cells(interval, verdict)]
        for name in others(comparison)
        for metric, (interval, verdict) in judged(comparison, intervals, name, margin).items()
    ]
    if not rows:
        return [NO_VERDICT]
    meaning = (
        f'Equal: the interval lies within ±{margin:g} points. Better or worse: it does not, and it does not contain zero. '
        'Undecided: neither.'
    )
    return [
        ' '.join([meaning, *limits(comparison)]),
        markdown_table(header, rows),
        'The spreads are standard errors of the difference: with other images, and in addition with other seeds. The numbers '
        'that would decide are totals, of images or of seeds of each name. They assume a normal distribution, and that the '
        'difference and the spreads stay as they are: plan for more.',
    ]


def category_paragraphs(comparison: Comparison, intervals: Intervals | None) -> list[str]:
    """The categories that differ, for each name and kind."""
    if intervals is None:
        return []
    sections = []
    for name in others(comparison):
        for kind, categories in intervals.categories[name].items():
            known = {category: each for category, each in categories.items() if each and math.isfinite(each.half_width)}
            differing = {category: each for category, each in known.items() if not each.low <= 0 <= each.high}
            if not known:
                sections.append(f'{cell(name)}, {label(f"{kind}_mAP")}: no category has an interval.')
                continue
            sections.append(
                f'{cell(name)}, {label(f"{kind}_mAP")}: the intervals of {len(differing)} of {len(known)} categories do not '
                f'contain zero; {(1 - LEVEL) * len(known):.1f} are expected by chance alone.'
            )
            if differing:
                sections.append(_category_table(differing))
    return [*sections, 'All categories are in the JSON.']


def intervals_to_json(comparison: Comparison, intervals: Intervals | None, margin: float) -> dict[str, Any]:
    """How the intervals were computed, or which work_dirs have no matches."""
    if intervals is None:
        return {'without_matches': [str(path) for path in without_matches(comparison)]}
    options = {key: getattr(intervals, key) for key in ('replicates', 'seed', 'num_images')}
    return {'level': LEVEL, **options, 'margin': margin}


def name_to_json(comparison: Comparison, intervals: Intervals | None, margin: float, name: str) -> dict[str, Any]:
    """Intervals and verdicts of a name."""
    if intervals is None or name == comparison.control:
        return {}
    return {
        'intervals': {metric: _to_json(each) for metric, each in intervals.metrics[name].items()},
        'category_intervals': {
            kind: {category: _to_json(each) for category, each in categories.items()}
            for kind, categories in intervals.categories[name].items()
        },
        'verdicts': {
            metric: vars(verdict) for metric, (_, verdict) in judged(comparison, intervals, name, margin).items()
        },
    }


def would_decide(verdict: Verdict) -> str:
    """What would decide an undecided verdict; empty for others."""
    if verdict.obstacle:
        return f'nothing: {verdict.obstacle}'
    numbers = [
        f'{number:,} {what}' for number, what in ((verdict.images, 'images'), (verdict.seeds, 'seeds')) if number
    ]
    return ' or '.join(numbers) or ('more images and seeds' if verdict.word == 'undecided' else '')


def others(comparison: Comparison) -> list[str]:
    """The names except the control."""
    return [name for name in comparison.groups if name != comparison.control]


def limits(comparison: Comparison) -> list[str]:
    """What the verdicts are not about, as sentences."""
    sentences = []
    if single := _with_one_seed(comparison):
        sentences.append(
            f'With one seed ({", ".join(single)}), a verdict is about the checkpoint, not about the method.'
        )
    if shared := _with_shared_backbones(comparison):
        sentences.append(
            f'With several runs of one backbone ({", ".join(shared)}), a verdict is about these backbones, not about the method.'
        )
    return sentences


def _with_one_seed(comparison: Comparison) -> list[str]:
    """The names with one seed, as in Markdown."""
    return [cell(name) for name, runs in comparison.groups.items() if len(runs) == 1]


def _with_shared_backbones(comparison: Comparison) -> list[str]:
    """The names with fewer backbones than runs, and both numbers: ``BP: 3 runs of 1 backbone``, as in Markdown."""
    numbers = {name: (len(runs), number_of_backbones(runs)) for name, runs in comparison.groups.items()}
    return [
        f'{cell(name)}: {runs} runs of {backbones(number)}' for name, (runs, number) in numbers.items() if number < runs
    ]


def judged(
    comparison: Comparison, intervals: Intervals, name: str, margin: float
) -> dict[str, tuple[Interval, Verdict]]:
    """The difference of a name in each metric that has a verdict."""
    seeds = max(len(comparison.groups[each]) for each in (name, comparison.control))
    known = {metric: each for metric in JUDGED if (each := intervals.metrics[name].get(metric)) is not None}
    return {
        metric: (each, judge(each, margin, intervals.num_images, seeds, _larger_ap(comparison, name, metric)))
        for metric, each in known.items()
    }


def _larger_ap(comparison: Comparison, name: str, metric: str) -> float:
    return max(comparison.statistics[each][metric].mean or 0.0 for each in (name, comparison.control))


def _verdict_cells(interval: Interval, verdict: Verdict) -> Sequence[str]:
    seeds = NOT_AVAILABLE if interval.between_seeds is None else f'{interval.between_seeds:.2f}'
    spreads = [f'{interval.between_images:.2f}', seeds]
    return [with_interval(interval.difference, interval, decimals=2), verdict.word, *spreads, would_decide(verdict)]


def _category_table(differing: dict[str, Interval]) -> str:
    ordered = sorted(differing.items(), key=lambda item: -abs(item[1].difference))[:MAX_CATEGORIES]
    table = markdown_table(
        ['category', 'difference'], ([category, with_interval(each.difference, each)] for category, each in ordered)
    )
    left = len(differing) - len(ordered)
    return table + (f'\n\n... and {left} more with smaller differences.' if left else '')


def _to_json(interval: Interval | None) -> dict[str, Any] | None:
    if interval is None:
        return None
    if math.isinf(interval.half_width):
        return {'difference': interval.difference}
    spreads = {'between_images': interval.between_images, 'between_seeds': interval.between_seeds}
    return {'difference': interval.difference, 'low': interval.low, 'high': interval.high, **spreads}
