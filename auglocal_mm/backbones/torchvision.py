"""torchvision's networks as backbones, partitioned by module path."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn
from torchvision.models import get_model, list_models
from torchvision.models.efficientnet import EfficientNet
from torchvision.models.mobilenetv2 import MobileNetV2
from torchvision.models.regnet import RegNet
from torchvision.models.vgg import VGG
from torchvision.models.vision_transformer import VisionTransformer

from auglocal_mm.backbones.adapter import BackboneAdapter, LayerSpec, adapt, check_chain, resnet_chain
from auglocal_mm.backbones.vision_transformer import VisionTransformerAdapter
from auglocal_mm.errors import InputError
from auglocal_mm.local.shapes import feature_shapes
from auglocal_mm.registry import MODELS


@MODELS.register_module()
class TorchvisionBackbone(BaseModule):
    """A classification network of torchvision without its classifier; weights keep torchvision's names.

    Args:
        name: As :func:`torchvision.models.get_model` takes it: ``'vgg13_bn'``, ``'mobilenet_v2'``, ``'efficientnet_b0'``,
            ``'regnet_x_400mf'``, ``'vit_b_16'``, ...
        strides: New strides of some convolutions or pooling layers, by module path. Small images need fewer halvings, e.g.
            ``{'features.0.0': 1}``.
        chain: Module paths of the local layers in running order. Optional for VGG, MobileNetV2, EfficientNet, RegNet,
            ResNet and vision transformers.
        options: Keyword arguments of torchvision's builder, such as ``image_size`` of a vision transformer.

    Raises:
        InputError: A name or path is unknown, or the chain does not compute what the network computes.
    """

    def __init__(
        self,
        name: str,
        strides: Mapping[str, int] | None = None,
        chain: Sequence[LayerSpec] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if name not in list_models():
            raise InputError(
                f'backbone.name is {name!r}; expected a classification network in torchvision.models.list_models()'
            )
        network = get_model(name, weights=None, **(options or {}))
        for path, stride in (strides or {}).items():
            _set_stride(network, path, stride)
        of_tokens = isinstance(network, VisionTransformer)  # keeps torchvision's initialisation
        kaiming = [dict(type='Kaiming', layer='Conv2d'), dict(type='Constant', val=1, layer='_BatchNorm')]
        super().__init__(init_cfg=None if of_tokens else kaiming)
        self.architecture = name
        if chain is None and of_tokens:
            self.adapter: Callable[[nn.Module], BackboneAdapter] = VisionTransformerAdapter
        else:
            self.adapter = partial(BackboneAdapter, chain=torchvision_chain(network) if chain is None else chain)
        adapter, image_size = self.adapter(network), getattr(network, 'image_size', 224)
        layers = adapter.local_layers()
        if chain is not None:
            feature_shapes(layers, image_size, adapter.channel_dim)
            check_chain(layers, network, image_size, goes_on=True)
        parts = {part for layer in layers for part in layer.module.modules()}
        for child_name, child in network.named_children():
            if parts.intersection(child.modules()):
                self.add_module(child_name, child)
        for parameter_name, parameter in network.named_parameters(recurse=False):
            self.register_parameter(parameter_name, parameter)

    def forward(self, images: Tensor) -> Tensor:
        """The last feature maps (N, C, h, w), or tokens (N, T, C), of images (N, 3, H, W)."""
        for _, module in self.adapter(self).layers():
            images = module(images)
        return images


@adapt.register
def _(backbone: TorchvisionBackbone) -> BackboneAdapter:
    return backbone.adapter(backbone)


def torchvision_chain(network: nn.Module) -> list[LayerSpec]:
    """The local layers of a network of torchvision: its stem, each block, and the last layer before pooling.

    Raises:
        InputError: The chain of this network is not known.
    """
    if isinstance(network, VGG):
        return _vgg_chain(network.features)
    if isinstance(network, MobileNetV2):
        return ['features.*']
    if isinstance(network, EfficientNet):
        last = len(network.features) - 1
        return ['features.0', *(f'features.{stage}.*' for stage in range(1, last)), f'features.{last}']
    if isinstance(network, RegNet):
        return ['stem', *(f'trunk_output.{name}.*' for name, _ in network.trunk_output.named_children())]
    return resnet_chain(network)


def _vgg_chain(features: nn.Sequential) -> list[LayerSpec]:
    """One local layer for each convolution, with the max-pooling before it; the last also has the pooling after it."""
    groups: list[list[str]] = [[]]
    for index, module in enumerate(features):
        starts = isinstance(module, nn.MaxPool2d) and index < len(features) - 1
        follows_pool = isinstance(features[index - 1], nn.MaxPool2d)
        if groups[-1] and (starts or (isinstance(module, nn.Conv2d) and not follows_pool)):
            groups.append([])
        groups[-1].append(f'features.{index}')
    return [{f'conv{index}': paths} for index, paths in enumerate(groups, start=1)]


def _set_stride(network: nn.Module, path: str, stride: int) -> None:
    try:
        module = network.get_submodule(path)
    except AttributeError as error:
        raise InputError(
            f'backbone.strides has {path!r}, which is not a module of the network; correct the path'
        ) from error
    if not hasattr(module, 'stride'):
        raise InputError(f'backbone.strides has {path!r}, a {type(module).__name__}; expected a module with a stride')
    vars(module)['stride'] = (stride, stride) if isinstance(module, nn.Conv2d) else stride
