"""The verdicts of a comparison as sentences, for the top of a page."""

from markupsafe import Markup

from auglocal_mm.html import from_markdown
from auglocal_mm.transfer.comparison import Comparison
from auglocal_mm.transfer.interval_report import (
    NO_VERDICT,
    explanation,
    judged,
    limits,
    others,
    with_interval,
    would_decide,
)
from auglocal_mm.transfer.intervals import Intervals
from auglocal_mm.transfer.labels import images, label
from auglocal_mm.transfer.paired_interval import LEVEL, Interval
from auglocal_mm.transfer.verdict import Verdict

SENTENCES = {
    'better': '<strong>{name} is better</strong> than {control} in {metric}: {difference}.',
    'worse': '<strong>{name} is worse</strong> than {control} in {metric}: {difference}.',
    'equal': '<strong>{name} and {control} are equal</strong> in {metric} within {margin} points: {difference}.',
    'undecided': (
        'Whether {name} is better or worse than {control} in {metric} is <strong>undecided</strong>: {difference}. '
        'It would take {needed} to decide.'
    ),
}
OBSTACLE = 'Whether {name} is better or worse than {control} in {metric} is <strong>undecided</strong>: {obstacle}.'


def verdict_sentences(comparison: Comparison, intervals: Intervals | None, margin: float) -> Markup:
    """A sentence for each name and metric that has a verdict, and what limits it; why there is none, without intervals."""
    if intervals is None:
        return from_markdown(f'There is no verdict. {explanation(comparison, intervals)[0]}')
    sentences = [
        _sentence(comparison, name, metric, interval, verdict, margin)
        for name in others(comparison)
        for metric, (interval, verdict) in judged(comparison, intervals, name, margin).items()
    ]
    if not sentences:
        return from_markdown(NO_VERDICT)
    items = Markup('').join(Markup('<li>{}</li>').format(each) for each in sentences)
    about = (
        f'Differences in points of AP, with {100 * LEVEL:.0f} % intervals from {images(intervals.num_images)}; those up to '
        f'±{margin:g} count as equal.'
    )
    return Markup('<ul class="verdicts">{}</ul>{}').format(items, from_markdown(' '.join([about, *limits(comparison)])))


def _sentence(
    comparison: Comparison, name: str, metric: str, interval: Interval, verdict: Verdict, margin: float
) -> Markup:
    return Markup(OBSTACLE if verdict.obstacle else SENTENCES[verdict.word]).format(
        name=name,
        control=comparison.control,
        metric=label(metric),
        difference=Markup('<span class="nowrap">{}</span>').format(
            with_interval(interval.difference, interval, decimals=2)
        ),
        margin=f'±{margin:g}',
        needed=would_decide(verdict),
        obstacle=verdict.obstacle,
    )
