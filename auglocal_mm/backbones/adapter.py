"""A backbone as an ordered chain of local layers. Plain PyTorch: no registry, no runner."""

from collections.abc import Collection, Mapping, Sequence
from functools import singledispatch
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from auglocal_mm.errors import InputError
from auglocal_mm.local.module import LocalLayer
from auglocal_mm.local.state import State

LayerSpec: TypeAlias = str | Mapping[str, Sequence[str]]
"""One entry of a chain: a module path, a path ending in ``.*`` for all children, or ``{name: [paths]}`` for a group."""


class BackboneAdapter:
    """A backbone as local learning sees it: its local layers, its taps, and the dimension of its channels.

    For networks that a list of module paths cannot describe, a subclass overrides :meth:`layers`;
    ``@adapt.register(Backbone)`` makes it the adapter of a class.

    Args:
        backbone: The primary network without its classifier.
        chain: Paths of its local layers in running order, e.g. ``[dict(stem=['conv1', 'bn1', 'relu']), 'layer1.*']``.
        taps: By name, the local layers whose outputs a head can read, e.g. ``{'C2': 'layer1.2'}``.

    Raises:
        InputError: ``chain`` is not a list.
    """

    def __init__(self, backbone: nn.Module, chain: Sequence[LayerSpec], taps: Mapping[str, str] | None = None) -> None:
        if isinstance(chain, str) or not isinstance(chain, Sequence):
            raise InputError(
                f"partition.chain is {chain!r}; expected a list of module paths, e.g. ['stem', 'blocks.*']"
            )
        self.backbone, self.chain, self.taps = backbone, chain, taps or {}

    def layers(self) -> list[tuple[str, nn.Module]]:
        """Names and modules of the local layers, in running order.

        Raises:
            InputError: A path does not exist.
        """
        layers: list[tuple[str, nn.Module]] = []
        for entry in self.chain:
            if isinstance(entry, Mapping):
                layers += [(name, nn.Sequential(*map(self.module, paths))) for name, paths in entry.items()]
            elif entry.endswith('.*'):
                parent = entry.removesuffix('.*')
                layers += [(f'{parent}.{name}', child) for name, child in self.module(parent).named_children()]
            else:
                layers.append((entry, self.module(entry)))
        return layers

    def module(self, path: str) -> nn.Module:
        """The module of the backbone at a path.

        Raises:
            InputError: There is no such module.
        """
        try:
            return self.backbone.get_submodule(path)
        except AttributeError as error:
            known = ', '.join(name for name, _ in self.backbone.named_children())
            raise InputError(
                f'{type(self.backbone).__name__} has no module {path!r}; expected a path that starts with one of {known}'
            ) from error

    def local_layers(self, read: Collection[str] = ()) -> list[LocalLayer]:
        """The local layers, with taps where heads read them.

        Args:
            read: Names of the taps that heads read, which are kept in the state.

        Raises:
            InputError: The backbone does not have a tap that is read, or its layer.
        """
        layers, taps = self.layers(), {}
        for tap in read:
            if self.taps.get(tap) not in dict(layers):
                raise InputError(
                    f'a head reads the tap {tap!r} of {type(self.backbone).__name__}, which has '
                    f'{", ".join(self.taps) or "none"}; give the backbone taps={{{tap!r}: <local layer>}}'
                )
            taps[self.taps[tap]] = tap
        return [LocalLayer(name, module, taps.get(name)) for name, module in layers]

    def channel_dim(self, size: Sequence[int]) -> int:
        """The dimension of the channels in an output of ``size`` without the batch: maps (C, H, W), tokens (T, C)."""
        return 1 if len(size) == 2 else 0


@singledispatch
def adapt(backbone: Any) -> BackboneAdapter:
    """The adapter of a backbone: that of its class, one of its own ``chain`` and ``taps``, or a ResNet's.

    Raises:
        InputError: The chain of the backbone is not known.
    """
    chain = getattr(backbone, 'chain', None) or resnet_chain(backbone)
    return BackboneAdapter(backbone, chain, getattr(backbone, 'taps', None))


def resnet_chain(network: nn.Module) -> list[LayerSpec]:
    """The chain of a ResNet: its stem, then each residual block.

    Raises:
        InputError: ``network`` does not have a ResNet's module names.
    """
    stages = [f'layer{i}.*' for i in range(1, 10) if hasattr(network, f'layer{i}')]
    norm = getattr(network, 'norm1_name', 'bn1')
    stem = ['stem', 'maxpool'] if hasattr(network, 'stem') else ['conv1', norm, 'relu', 'maxpool']
    stem = [name for name in stem if hasattr(network, name)]  # small-image ResNets have no maxpool
    if not stages or len(stem) < 2:
        raise InputError(
            f'{type(network).__name__} cannot be partitioned automatically: the layers that run one after the other are known '
            'only for ResNets and for the VGG, MobileNetV2, EfficientNet, RegNet and VisionTransformer of torchvision '
            '(TorchvisionBackbone); give partition=dict(chain=[...]) with the module paths of its layers in running order, '
            "e.g. [dict(stem=['conv1', 'bn1']), 'blocks.*']"
        )
    return [{'stem': stem}, *stages]


@torch.no_grad()
def check_chain(layers: Sequence[LocalLayer], network: nn.Module, image_size: int, goes_on: bool = False) -> None:
    """Compares local layers, one after the other, with the network's own forward pass on one image, in evaluation mode.

    Args:
        layers: The chain.
        network: The network, which is left in evaluation mode. On the meta device nothing is compared.
        image_size: Side of the image.
        goes_on: Whether ``network`` continues after the chain; then the output of the chain's last module is compared.

    Raises:
        InputError: They differ.
    """
    device = next(network.parameters()).device
    if device.type == 'meta':
        return
    network.eval()
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(1, 3, image_size, image_size, generator=generator, device='cpu').to(device)
    state = State(images)
    for layer in layers:
        state = layer(state)
    found, expected = state.features, _output(network, images, layers[-1].module if goes_on else None)
    if (
        not isinstance(expected, Tensor)
        or found.shape != expected.shape
        or not torch.allclose(found, expected, 1e-4, 1e-5)
    ):
        raise InputError(
            f'the local layers, one after the other, do not compute what {type(network).__name__} computes; correct '
            'partition.chain, which omits a layer (perhaps an activation or a pooling), repeats one, or has another order'
        )


def _output(network: nn.Module, images: Tensor, last: nn.Module | None) -> Any:
    """The output of ``last`` when ``network`` runs; by default the last output of ``network`` itself."""
    if last is None:
        outputs = network(images)
        return outputs[-1] if isinstance(outputs, tuple | list) else outputs
    if last not in set(network.modules()):  # a group of modules
        *_, last = last.children()
    seen: list[Tensor] = []
    hook = last.register_forward_hook(lambda _, __, output: seen.append(output.clone()))  # before it is overwritten
    network(images)
    hook.remove()
    return seen[-1] if seen else None
