"""How deep an auxiliary network is, which local layers it copies, and where it down-samples: integers in, integers out.

Local layers have the indices 1 to ``num_layers`` (L); the classifier is not one of them. ``hidden`` (D) is the number of
copied layers of an auxiliary network without its linear classifier: the paper's depth is d = D + 1.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from auglocal_mm.errors import InputError

# The released code rounds half to even, as Python does; both give the same networks for ResNet-34 and VGG13.
ROUNDINGS: dict[str, Callable[[Fraction], int]] = {
    'half_even': round,
    'half_up': lambda value: math.floor(value + Fraction(1, 2)),
}
SELECTIONS = ('uniform', 'sequential', 'repetitive')


def pyramid_depths(hidden: int, num_modules: int, decay: float = 0.0, rounding: str = 'half_even') -> list[int]:
    """Hidden layers of each auxiliary network, decreasing linearly towards the output (equation 3).

    Args:
        hidden: D, the hidden layers of the first module's auxiliary network.
        num_modules: K, including the last module, which has no auxiliary network.
        decay: r in [0, 1]. At 0 all networks have D hidden layers; the tables for small images use 0.5.
        rounding: ``'half_even'`` or ``'half_up'``.

    Returns:
        K - 1 depths, each at least 1.

    Raises:
        InputError: ``hidden`` is below 1, ``decay`` outside [0, 1], or ``rounding`` unknown.
    """
    if hidden < 1:
        raise InputError(f'depth is {hidden + 1}, which leaves no hidden layer; expected 2 or more')
    if not isinstance(decay, int | float) or not 0 <= decay <= 1:
        raise InputError(f'pyramid is {decay!r}; expected a number from 0 (equal depths) to 1')
    to_integer = _rounding(rounding)
    slope = Fraction(str(decay)) / max(num_modules - 2, 1)
    return [max(1, to_integer(hidden - (hidden - 1) * slope * m)) for m in range(num_modules - 1)]


def select_layers(
    layer: int, num_layers: int, hidden: int, selection: str = 'uniform', rounding: str = 'half_even'
) -> list[int]:
    """The local layers whose structure an auxiliary network copies (section 3.2).

    Args:
        layer: l, the local layer whose output the auxiliary network takes.
        num_layers: L.
        hidden: D_l. If fewer layers remain after ``layer``, all of them are copied.
        selection: ``'uniform'`` spreads them evenly over the remaining layers, ``'sequential'`` takes the next ones,
            ``'repetitive'`` repeats ``layer`` itself.
        rounding: As in :func:`pyramid_depths`; it breaks ties of ``'uniform'``.

    Returns:
        Indices of local layers, from 1, in ascending order.

    Raises:
        InputError: An unknown selection or rounding.
    """
    if selection not in SELECTIONS:
        raise InputError(f'selection is {selection!r}; expected one of {", ".join(SELECTIONS)}')
    if selection == 'repetitive':
        return [layer] * hidden
    remaining = num_layers - layer
    if selection == 'sequential' or hidden >= remaining:
        return [layer + i for i in range(1, min(hidden, remaining) + 1)]
    to_integer = _rounding(rounding)
    # Rounded with the stem as layer 0: half to even depends on the origin, and this one gives the published networks.
    return [to_integer(layer - 1 + Fraction(remaining * i, hidden)) + 1 for i in range(1, hidden + 1)]


def downsampling_strides(side: float, sides: Sequence[float]) -> list[int]:
    """Strides of the copied layers: one halving for each that lies between them in the network, at most one per layer.

    A halving that does not fit in one layer is left to the next, and dropped after the last. In a ResNet, whose maps halve
    where its widths double, this is what the released code does, which counts the doublings.

    Args:
        side: Side of the feature maps that the auxiliary network takes, in pixels.
        sides: Side of each copied layer's output in the primary network.
    """
    strides, due = [], 0
    for next_side in sides:
        due += round(math.log2(side / next_side))
        strides.append(2 if due >= 1 else 1)
        due -= strides[-1] - 1
        side = next_side
    return strides


def widening_strides(width: int, widths: Sequence[int]) -> list[int]:
    """Strides of the max-pooling in a VGG's auxiliary network: 2 wherever the width changes.

    Args:
        width: Channels of the feature maps that the auxiliary network takes.
        widths: Channels of each copied layer.
    """
    return [1 if new == old else 2 for old, new in zip([width, *widths], widths, strict=False)]


def _rounding(name: str) -> Callable[[Fraction], int]:
    if name not in ROUNDINGS:
        raise InputError(f'rounding is {name!r}; expected one of {", ".join(ROUNDINGS)}')
    return ROUNDINGS[name]
