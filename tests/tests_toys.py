"""Networks that are no ResNets: one whose pyramid reads four taps, one of tokens, and one that draws random numbers."""

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import StochasticDepth

from auglocal_mm.local.layer_copy import copy_structure
from auglocal_mm.local.state import State
from auglocal_mm.models.heads import ClassificationHead
from auglocal_mm.registry import MODELS


@MODELS.register_module()
class TappedNetwork(BaseModule):
    """Four stages of one convolution each; its forward gives the outputs of all, as a detector's backbone does."""

    chain = ['stages.*']
    taps = {'C2': 'stages.0', 'C3': 'stages.1', 'C4': 'stages.2', 'C5': 'stages.3'}

    def __init__(self, widths: tuple[int, ...] = (4, 8, 8, 12)) -> None:
        super().__init__()
        pairs = zip((3, *widths), widths, strict=False)
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(old, new, 3, 2, 1, bias=False), nn.BatchNorm2d(new), nn.ReLU())
            for old, new in pairs
        )

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        outputs = [images]
        for stage in self.stages:
            outputs.append(stage(outputs[-1]))
        return tuple(outputs[1:])


@MODELS.register_module()
class PyramidHead(ClassificationHead):
    """A feature pyramid on C2 to C5, classified by the sum of its pooled levels."""

    taps = ('C2', 'C3', 'C4', 'C5')

    def __init__(self, in_channels: int, num_classes: int, widths: tuple[int, ...] = (4, 8, 8, 12)) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.laterals = nn.ModuleList(nn.Conv2d(width, 6, 1) for width in widths)
        self.fc = nn.Linear(6, num_classes)

    def forward(self, features: Tensor) -> Tensor:
        raise AssertionError('reads taps')

    def logits(self, state: State) -> Tensor:
        maps = [lateral(state.taps[tap]) for lateral, tap in zip(self.laterals, self.taps, strict=True)]
        level, pooled = maps[-1], maps[-1].mean((2, 3))
        for lateral in maps[-2::-1]:
            level = lateral + functional.interpolate(level, lateral.shape[2:])
            pooled = pooled + level.mean((2, 3))
        return self.fc(pooled)


class Embedding(nn.Module):
    """Patches of eight pixels, a class token in front, and positions."""

    def __init__(self, width: int, patches: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, 8, 8)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(0.02 * torch.randn(1, patches + 1, width))

    def forward(self, images: Tensor) -> Tensor:
        patches = self.proj(images).flatten(2).transpose(1, 2)
        return torch.cat([self.class_token.expand(len(patches), -1, -1), patches], dim=1) + self.positions


class Block(nn.Module):
    """Attention and a perceptron, each normalised first and added to its input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.qkv(self.norm1(tokens)).chunk(3, dim=-1)
        tokens = tokens + self.proj(functional.scaled_dot_product_attention(query, key, value))
        return tokens + self.mlp(self.norm2(tokens))


@copy_structure.register
def _(layer: Block, in_channels: int, stride: int) -> nn.Module:
    return Block(in_channels)


@MODELS.register_module()
class TokenNetwork(BaseModule):
    """An embedding and blocks of attention."""

    chain = ['embedding', 'blocks.*']

    def __init__(self, blocks: int = 4, width: int = 12, patches: int = 16) -> None:
        super().__init__()
        self.embedding = Embedding(width, patches)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(blocks)))

    def forward(self, images: Tensor) -> Tensor:
        return self.blocks(self.embedding(images))


@MODELS.register_module()
class DroppingNetwork(BaseModule):
    """Convolutions whose outputs are dropped for random images, in heads that copy them too."""

    chain = ['layers.*']

    def __init__(self, layers: int = 5, width: int = 6) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(self.layer(width if index else 3, width) for index in range(layers)))

    def layer(self, in_channels: int, width: int) -> nn.Module:
        convolution = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU(), StochasticDepth(0.3, 'row'))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)
