"""torchvision's vision transformers as chains of local layers. Plain PyTorch."""

import torch
from torch import Tensor, nn

from auglocal_mm.backbones.adapter import BackboneAdapter


class VisionTransformerAdapter(BackboneAdapter):
    """Patch embedding, each encoder block, and the last block together with the final norm.

    Args:
        backbone: A network with ``conv_proj``, ``class_token`` and ``encoder`` as in torchvision's ``VisionTransformer``.
    """

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__(backbone, chain=[])

    def layers(self) -> list[tuple[str, nn.Module]]:
        """The patch embedding as ``stem``, then the blocks by their paths."""
        *blocks, (name, last) = self.module('encoder.layers').named_children()
        return [
            ('stem', PatchEmbedding(self.backbone)),
            *((f'encoder.layers.{each}', block) for each, block in blocks),
            (f'encoder.layers.{name}', nn.Sequential(last, self.module('encoder.ln'))),
        ]


class PatchEmbedding(nn.Module):
    """Images (N, 3, H, W) to tokens (N, 1 + patches, C): the class token, then the patches, with position embeddings.

    Args:
        network: The network that owns the modules it runs; their names there stay the same.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        encoder = network.get_submodule('encoder')
        self.conv_proj, self.dropout = network.get_submodule('conv_proj'), encoder.get_submodule('dropout')
        self.class_token, self.pos_embedding = (
            network.get_parameter('class_token'),
            encoder.get_parameter('pos_embedding'),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Tokens (N, 1 + patches, C)."""
        patches = self.conv_proj(images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(patches), -1, -1), patches], dim=1)
        return self.dropout(tokens + self.pos_embedding)
