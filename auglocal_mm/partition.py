"""A network as an ordered chain of local layers, cut into local modules. Plain PyTorch: no registry, no runner.

A *local layer* is the smallest unit that can have a loss of its own (a ResNet's stem, one residual block); a *local
module* is one or more consecutive local layers that learn from one loss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from torch import nn

from auglocal_mm.checkpointing import Run, apply_runs, runs_within
from auglocal_mm.errors import InputError

LayerSpec: TypeAlias = str | Mapping[str, Sequence[str]]
"""One entry of a chain: a module path, a path ending in ``.*`` for all children, or ``{name: [paths]}`` for a group."""


@dataclass(frozen=True)
class LocalLayer:
    """One link of the chain: ``module`` runs ``name``."""

    name: str
    module: nn.Module


@dataclass(frozen=True)
class LocalModule:
    """Consecutive local layers and the head whose ``loss(features, labels, images)`` trains them.

    The layers and the head belong to the model; nothing is registered a second time here.
    """

    name: str
    layers: nn.Sequential
    head: nn.Module

    def parameters(self) -> list[nn.Parameter]:
        """The parameters that this module's loss trains, layers first."""
        return [*self.layers.parameters(), *self.head.parameters()]


def local_layers(network: nn.Module, chain: Sequence[LayerSpec] | None = None) -> list[LocalLayer]:
    """The local layers of ``network``, in the order in which they run.

    Args:
        network: The primary network without its classifier.
        chain: The module paths in running order, e.g. ``[dict(stem=['conv1', 'bn1', 'relu', 'maxpool']), 'layer1.*']``.
            By default what the network says of itself in ``network.chain``, or that of a ResNet.

    Raises:
        InputError: A path does not exist, or ``network`` is no ResNet and ``chain`` is not given.
    """
    if chain is not None and (isinstance(chain, str) or not isinstance(chain, Sequence)):
        raise InputError(f"partition.chain is {chain!r}; expected a list of module paths, as ['stem', 'blocks.*']")
    layers: list[LocalLayer] = []
    for entry in chain if chain is not None else getattr(network, 'chain', None) or resnet_chain(network):
        if isinstance(entry, str):
            layers += _expand(network, entry)
        else:
            layers += [
                LocalLayer(name, nn.Sequential(*(_get(network, p) for p in paths))) for name, paths in entry.items()
            ]
    return layers


def resnet_chain(network: nn.Module) -> list[LayerSpec]:
    """The chain of a ResNet: its stem, then each residual block.

    Raises:
        InputError: ``network`` has no ``layer1`` and no stem of the ResNets' names.
    """
    stages = [f'layer{i}.*' for i in range(1, 10) if hasattr(network, f'layer{i}')]
    norm = getattr(network, 'norm1_name', 'bn1')
    stem = ['stem', 'maxpool'] if hasattr(network, 'stem') else ['conv1', norm, 'relu', 'maxpool']
    stem = [name for name in stem if hasattr(network, name)]  # small-image ResNets have no maxpool
    if not stages or len(stem) < 2:
        raise InputError(
            f'{type(network).__name__} cannot be partitioned by itself: a partition needs layers that run one after the '
            "other, each from one feature map to the next, and their names are known of ResNets and of torchvision's VGG, "
            'MobileNetV2, EfficientNet and RegNet (TorchvisionBackbone) only; give partition=dict(chain=[...]) with the paths '
            "of its layers in running order, for example [dict(stem=['conv1', 'bn1']), 'blocks.*']"
        )
    return [{'stem': stem}, *stages]


def resolve_cuts(
    names: Sequence[str],
    num_local_modules: int | None = None,
    cut_points: Sequence[int | str] | None = None,
    last_module_layers: int = 1,
) -> list[int]:
    """The local layers after which the chain is cut, counted from 1: K - 1 ascending numbers below L.

    Args:
        names: The names of all L local layers.
        num_local_modules: K, from 1 (BP) to L. Lengths are even, the longer modules last. Default: as many as possible.
        cut_points: Explicit cuts instead, by number or by name: ``[1, 5]`` or ``['stem', 'layer2.0']``.
        last_module_layers: Local layers of the last module ("trimming"). Small-image tables: the auxiliary depth d.

    Raises:
        InputError: K out of range, cuts unordered or unknown, or two of the ways at once.
    """
    total = len(names)
    if cut_points is not None:
        if num_local_modules is not None or last_module_layers != 1:
            raise InputError('cut_points excludes num_local_modules and last_module_layers; keep one of them')
        return _explicit_cuts(names, cut_points)
    if not isinstance(last_module_layers, int) or not 1 <= last_module_layers <= total:
        raise InputError(
            f'last_module_layers is {last_module_layers!r}; expected 1 to {total}, the number of local layers'
        )
    trainable = total - last_module_layers  # local layers before the last module
    modules = trainable + 1 if num_local_modules is None else num_local_modules
    if not isinstance(modules, int) or not 1 <= modules <= trainable + 1:
        raise InputError(
            f'num_local_modules is {modules!r}; expected 1 (BP) to {trainable + 1}, one for each local layer'
            + (f' before the last module of {last_module_layers}' if last_module_layers > 1 else '')
        )
    if last_module_layers > 1 and modules > 1:
        return [trainable * k // (modules - 1) for k in range(1, modules)]
    return [total * k // modules for k in range(1, modules)]


def _explicit_cuts(names: Sequence[str], cuts: Sequence[int | str]) -> list[int]:
    if not isinstance(cuts, Sequence) or isinstance(cuts, str):
        raise InputError(f'cut_points is {cuts!r}; expected a list of local layers, by number or by name')
    for cut in cuts:
        if cut not in (names if isinstance(cut, str) else range(1, len(names))):
            raise InputError(
                f'cut_points names the local layer {cut!r}, which is unknown; expected 1 to {len(names) - 1} or one of '
                f'{", ".join(names[:-1])}'
            )
    numbers = [names.index(cut) + 1 if isinstance(cut, str) else cut for cut in cuts]
    if numbers != sorted(set(numbers)) or len(names) in numbers:
        raise InputError(f'cut_points are {list(cuts)}; expected ascending local layers before the last one, each once')
    return numbers


def local_modules(
    layers: Sequence[LocalLayer], cuts: Sequence[int], heads: Sequence[nn.Module], runs: Sequence[Run] = ()
) -> list[LocalModule]:
    """Joins local layers between cuts, with one head each.

    Args:
        layers: All local layers.
        cuts: As :func:`resolve_cuts` returns them, K - 1 numbers.
        heads: K heads; the last one is the primary network's classifier.
        runs: Layers that are computed again in backward, counted from 0.

    Raises:
        InputError: A run crosses a cut.
    """
    modules = []
    for first, last, head in zip([0, *cuts], [*cuts, len(layers)], heads, strict=True):
        part = layers[first:last]
        name = part[0].name if len(part) == 1 else f'{part[0].name}-{part[-1].name}'
        chain = apply_runs([layer.module for layer in part], runs_within(runs, first, last - 1))
        modules.append(LocalModule(name, nn.Sequential(*chain), head))
    return modules


def _expand(network: nn.Module, path: str) -> list[LocalLayer]:
    if not path.endswith('.*'):
        return [LocalLayer(path, _get(network, path))]
    parent = path[:-2]
    return [LocalLayer(f'{parent}.{name}', child) for name, child in _get(network, parent).named_children()]


def _get(network: nn.Module, path: str) -> nn.Module:
    try:
        return network.get_submodule(path)
    except AttributeError as error:
        known = ', '.join(name for name, _ in network.named_children())
        raise InputError(f'{type(network).__name__} has no module {path!r}; its children are {known}') from error
