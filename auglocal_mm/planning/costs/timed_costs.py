"""The costs of a network with times in place of FLOPs, so that the search for plans finds the fastest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from auglocal_mm.planning.costs.layer_cost import LayerCost
from auglocal_mm.planning.costs.layer_seconds import NetworkSeconds, PassSeconds
from auglocal_mm.planning.costs.network_cost import NetworkCosts

NANOSECONDS = 1e9
"""Times are integers in nanoseconds for one image, as FLOPs are."""


def timed_costs(costs: NetworkCosts, seconds: NetworkSeconds, names: Mapping[int, str]) -> NetworkCosts:
    """``costs`` with nanoseconds for one image in place of FLOPs.

    The time of a head is divided among its layers as its FLOPs are, and that of recomputing its norms as the memory that this
    saves.

    Args:
        costs: Costs of the network and of the candidate heads.
        seconds: Times of the same network.
        names: Depth of the heads -> their name in ``seconds``.
    """
    scale = NANOSECONDS / seconds.batch_size
    layers = [
        _timed(cost, whole, start, scale)
        for cost, whole, start in zip(costs.layers, seconds.layers, seconds.starts, strict=True)
    ]
    (classifier,) = _shared([costs.classifier], seconds.classifier, scale)
    heads = {
        (index, depth): _shared(parts, seconds.heads[index, names[depth]], scale)
        for (index, depth), parts in costs.heads.items()
        if depth in names
    }
    return replace(costs, layers=layers, classifier=classifier, heads=heads, timed=True)


def costs_at_speed(costs: NetworkCosts, flops_per_second: float) -> NetworkCosts:
    """``costs`` with nanoseconds for one image in place of FLOPs, on a device of a given speed."""
    scale = NANOSECONDS / flops_per_second

    def timed(cost: LayerCost) -> LayerCost:
        forward, backward, alone = (
            round(each * scale) for each in (cost.forward, cost.backward, cost.backward_without_input)
        )
        return replace(cost, forward=forward, backward=backward, backward_without_input=alone)

    return _changed(costs, timed)


def with_updates(costs: NetworkCosts, seconds: float, batch_size: int) -> NetworkCosts:
    """Timed ``costs`` whose backward passes include the optimizer.

    Args:
        costs: Nanoseconds for one image.
        seconds: Of the optimizer for one parameter, once in an iteration.
        batch_size: Images in an iteration.
    """

    def updated(cost: LayerCost) -> LayerCost:
        update = round(cost.parameters * seconds * NANOSECONDS / batch_size)
        alone = cost.backward_without_input + update
        return replace(cost, backward=cost.backward + update, backward_without_input=alone)

    return _changed(costs, updated)


def _changed(costs: NetworkCosts, change: Callable[[LayerCost], LayerCost]) -> NetworkCosts:
    heads = {place: [change(part) for part in parts] for place, parts in costs.heads.items()}
    layers = [change(layer) for layer in costs.layers]
    return replace(costs, layers=layers, classifier=change(costs.classifier), heads=heads, timed=True)


def _timed(cost: LayerCost, whole: PassSeconds, start: PassSeconds, scale: float) -> LayerCost:
    forward, backward, alone, norms = (
        round(each * scale) for each in (whole.forward, whole.backward, start.backward, whole.norms)
    )
    return replace(cost, forward=forward, backward=backward, backward_without_input=alone, norms=norms)


def _shared(parts: Sequence[LayerCost], seconds: PassSeconds, scale: float) -> list[LayerCost]:
    shares = [_shares([getattr(part, name) for part in parts]) for name in ('forward', 'backward')]
    shares.append(_shares([part.internal - part.convolved for part in parts]))
    timed = []
    for part, forward, backward, norms in zip(parts, *shares, strict=True):
        own = PassSeconds(seconds.forward * forward, seconds.backward * backward, seconds.norms * norms)
        timed.append(_timed(part, own, own, scale))
    return timed


def _shares(amounts: Sequence[float]) -> list[float]:
    total = sum(amounts)
    return [amount / total if total else 1 / len(amounts) for amount in amounts]
