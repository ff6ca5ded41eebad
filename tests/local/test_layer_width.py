import pytest
import torch
from mmdet.models import ResNet
from torch import nn
from torchvision.models import resnet18, resnet50

from auglocal_mm.local.layer_copy import copy_layer
from auglocal_mm.local.layer_width import narrow_layer

BLOCKS = {
    'torchvision BasicBlock': lambda: resnet18().layer2[1],
    'torchvision Bottleneck': lambda: resnet50().layer1[1],
    'mmdet Bottleneck': lambda: ResNet(50).layer1[1],
    'with a projection': lambda: resnet18().layer2[0],
    'VGG': lambda: nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
    'block and norm': lambda: nn.Sequential(resnet18().layer2[1], nn.BatchNorm2d(128)),
}


@pytest.mark.parametrize('block', BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize('stride', [1, 2])
def test_a_narrow_copy_takes_any_width_and_gives_its_share(block, stride):
    original = block()
    channels = [module.num_features for module in original.modules() if isinstance(module, nn.BatchNorm2d)]
    duplicate = copy_layer(narrow_layer(original, 0.25), 24, stride)
    found = [module.num_features for module in duplicate.modules() if isinstance(module, nn.BatchNorm2d)]
    assert found[: len(channels)] == [count // 4 for count in channels]
    assert duplicate(torch.randn(2, 24, 8, 8)).shape == (2, found[-1], 8 // stride, 8 // stride)


def test_settings_of_convolutions_and_norms_stay_and_so_does_the_original():
    original = nn.Sequential(
        nn.Conv2d(6, 10, 5, stride=2, padding=4, dilation=2), nn.BatchNorm2d(10, eps=0.1, momentum=0.2)
    )
    convolution, norm = narrow_layer(original, 0.5)
    assert repr(convolution) == repr(nn.Conv2d(3, 5, 5, stride=2, padding=4, dilation=2))
    assert repr(norm) == repr(nn.BatchNorm2d(5, eps=0.1, momentum=0.2))
    assert original[0].out_channels == original[1].num_features == 10


def test_at_least_one_channel_stays():
    assert narrow_layer(nn.Sequential(nn.Conv2d(3, 4, 1)), 0.01)[0].out_channels == 1
