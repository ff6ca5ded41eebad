"""Compares local modules with backpropagation with checkpointing, over all budgets."""

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter

from auglocal_mm.planning.plan import Plan
from auglocal_mm.planning.search.frontier import SHARES, Frontier


def verdict(frontier: Frontier) -> str:
    """States at which budgets local modules cost less than backpropagation with checkpointing, and at which more."""
    budgets = []  # share of backpropagation's activations, and whether local modules compute less within it
    for share in SHARES:
        rival, local = (_least_compute(plans, share, frontier) for plans in (frontier.checkpointed, frontier.local))
        if rival is not None and local is not None:
            budgets.append((share, local < rival))
    lines = []
    for better, text in (
        (True, 'Local modules beat backpropagation with checkpointing'),
        (False, 'BP with checkpointing is the better choice'),
    ):
        spans = [[share for share, _ in span] for kind, span in groupby(budgets, itemgetter(1)) if kind is better]
        if spans:
            lines.append(f'{text} {" and ".join(map(_span, spans))} of the activations of BP.')
    least = [plan.activations / frontier.reference.activations for plan in (frontier.checkpointed[-1], frontier.least)]
    if least[1] < least[0]:
        lines.append(f'Backpropagation cannot go below {least[0]:.3f}x; local modules reach {least[1]:.3f}x.')
    return ' '.join(lines)


def _least_compute(plans: Sequence[Plan], share: float, frontier: Frontier) -> int | None:
    within = [plan.compute for plan in plans if plan.activations <= share * frontier.reference.activations]
    return min(within, default=None)


def _span(shares: Sequence[float]) -> str:
    return f'from {shares[0]:.3g}x down to {shares[-1]:.3g}x' if len(shares) > 1 else f'at {shares[0]:.3g}x'
