"""Which tensors of a file a network loads: decided, loaded and reported here, wherever the file comes from."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from auglocal_mm.errors import InputError
from auglocal_mm.weights.finite import non_finite

CLASSIFIERS = ('fc.', 'classifier.', 'heads.')
RESNET_DEPTHS = {
    (False, 2, 2, 2, 2): 18,
    (False, 3, 4, 6, 3): 34,
    (True, 3, 4, 6, 3): 50,
    (True, 3, 4, 23, 3): 101,
    (True, 3, 8, 36, 3): 152,
}


@dataclass(frozen=True)
class Coverage:
    """How far a file's names cover a network: those that match in name and shape, are missing, or are not expected."""

    matched: list[str]
    missing: list[str]
    unexpected: list[str]

    def __str__(self) -> str:
        lines = f'{len(self.matched)} matched, {len(self.missing)} missing, {len(self.unexpected)} unexpected'
        for title, names in (('missing', self.missing), ('unexpected', self.unexpected)):
            lines += f'; {title}: {", ".join(names[:4])}{", ..." if len(names) > 4 else ""}' if names else ''
        return lines


def load_weights(network: nn.Module, checkpoint: Mapping[str, Any], source: str, prefix: str = '') -> Coverage:
    """Loads into ``network`` what a checkpoint has for it.

    Args:
        network: A whole model, of which the backbone must be covered and the rest may be; or a part of one, such as a
            backbone or a neck, which must be covered.
        checkpoint: As :func:`auglocal_mm.weights.checkpoint_file.read_weights` returns it.
        source: Its name in errors.
        prefix: Of the names to take; without one, those of the backbone are found where ``network`` is a backbone.

    Raises:
        InputError: It does not fit, or contains values that a network cannot run with; nothing has been loaded.
    """
    weights, coverage = select_weights(network, checkpoint, source, prefix=prefix)
    network.load_state_dict(weights, strict=False)
    return coverage


def select_weights(
    network: nn.Module,
    checkpoint: Mapping[str, Any],
    source: str | os.PathLike[str],
    must_fit: Callable[[str], bool] | None = None,
    prefix: str = '',
) -> tuple[dict[str, Tensor], Coverage]:
    """The tensors of a checkpoint that :func:`load_weights` loads, under the names of ``network``.

    Args:
        network: To be loaded into.
        checkpoint: See :func:`load_weights`.
        source: Its name in errors.
        must_fit: Whether a weight of this name must be in both, of one shape; by default as in :func:`load_weights`. A
            count of batches, which no network computes with, may be missing.
        prefix: See :func:`load_weights`.

    Raises:
        InputError: See :func:`load_weights`.
    """
    must_fit = must_fit or (is_of_backbone if hasattr(network, 'backbone') else is_of_feature_extractor)
    needed = network.state_dict()
    views = list(_views(checkpoint.get('state_dict', checkpoint), prefix))
    state = max(views, key=lambda view: sum(name in needed for name in view))
    matched = [name for name in needed if getattr(state.get(name), 'shape', None) == needed[name].shape]
    coverage = Coverage(
        matched,
        missing=[name for name in needed if name not in matched and not name.endswith('num_batches_tracked')],
        unexpected=[name for name in state if name not in needed],
    )
    if not matched or any(map(must_fit, (*coverage.missing, *coverage.unexpected))):
        raise InputError(
            f'{source} ({resnet_architecture(state)}) does not fit the {type(network).__name__} '
            f'({resnet_architecture(needed)}): {coverage}; use a file of the same network'
            + (f', or another prefix than {prefix!r}' if prefix else '')
        )
    wrong = [n for n in matched if needed[n].is_floating_point() and not state[n].is_floating_point()]
    if wrong:
        raise InputError(
            f'{source} has {wrong[0]} as {state[wrong[0]].dtype}; expected floating-point numbers: use the file from before '
            'its conversion'
        )
    weights = {name: state[name] for name in matched}
    found = non_finite(weights)
    if found:
        raise InputError(f'{source} comes from a diverged training: {found}; use another file')
    return weights, coverage


def is_of_backbone(name: str) -> bool:
    """Whether a weight of a whole model belongs to its backbone."""
    return name.startswith('backbone.') and is_of_feature_extractor(name.removeprefix('backbone.'))


def is_of_feature_extractor(name: str) -> bool:
    """Whether a weight in a backbone, or in its file, does not belong to a classifier on top of it."""
    return not name.startswith(CLASSIFIERS)


def is_of_network(name: str) -> bool:
    """Whether a weight of a classifier belongs to its primary network, not to an auxiliary head."""
    return not name.startswith('auxiliary_heads.')


def resnet_architecture(state: Mapping[str, Any]) -> str:
    """``'ResNet-34'`` and so on, from the names of the weights; ``'unknown'`` where they are not a plain ResNet's."""
    names = [name.removeprefix('backbone.') for name in state]
    blocks = {found.groups() for name in names if (found := re.match(r'layer(\d+)\.(\d+)\.', name))}
    counts = tuple(sum(stage == str(i) for stage, _ in blocks) for i in range(1, 5))
    depth = RESNET_DEPTHS.get((any('conv3' in name for name in names), *counts))
    return f'ResNet-{depth}' if depth else 'unknown'


def _views(state: Mapping[str, Any], prefix: str) -> Iterator[dict[str, Any]]:
    """The weights under the names that they may have in the network."""
    prefixes = [prefix if prefix.endswith('.') else f'{prefix}.'] if prefix else ['', 'backbone.']
    for start in prefixes:
        yield {name.removeprefix(start): value for name, value in state.items() if name.startswith(start)}
