"""ResNets for images of 32 pixels."""

from mmengine.model import BaseModule
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from auglocal_mm.errors import InputError
from auglocal_mm.registry import MODELS

DEPTHS = (20, 32, 44, 56, 110)


@MODELS.register_module()
class CIFARResNet(BaseModule):
    """A stem that keeps the resolution, and three stages of basic blocks (section 4.2 of arXiv 1512.03385).

    Shortcuts that change the width are 1x1 convolutions, as in the code released with AugLocal.

    Args:
        depth: 20, 32, 44, 56 or 110, which is 6 n + 2 for stages of n blocks.
        widths: Channels of the three stages; the stem is as wide as the first.

    Raises:
        InputError: ``depth`` is another number.
    """

    def __init__(self, depth: int, widths: tuple[int, int, int] = (16, 32, 64)) -> None:
        super().__init__(
            init_cfg=[dict(type='Kaiming', layer='Conv2d'), dict(type='Constant', val=1, layer='_BatchNorm')]
        )
        if depth not in DEPTHS:
            raise InputError(f'backbone.depth of CIFARResNet is {depth}; expected one of {", ".join(map(str, DEPTHS))}')
        self.architecture = f'CIFARResNet-{depth}'
        self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        blocks = (depth - 2) // 6
        self.layer1 = _stage(widths[0], widths[0], blocks, stride=1)
        self.layer2 = _stage(widths[0], widths[1], blocks, stride=2)
        self.layer3 = _stage(widths[1], widths[2], blocks, stride=2)

    def forward(self, images: Tensor) -> Tensor:
        """The last stage's maps (N, C, H / 4, W / 4) of images (N, 3, H, W)."""
        features = self.relu(self.bn1(self.conv1(images)))
        return self.layer3(self.layer2(self.layer1(features)))


def _stage(in_channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    projection = None
    if stride != 1 or in_channels != width:
        projection = nn.Sequential(nn.Conv2d(in_channels, width, 1, stride, bias=False), nn.BatchNorm2d(width))
    rest = (BasicBlock(width, width) for _ in range(blocks - 1))
    return nn.Sequential(BasicBlock(in_channels, width, stride, projection), *rest)
