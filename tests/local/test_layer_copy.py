import pytest
import torch
from mmdet.models import ResNet
from torch import nn
from torchvision.models import (
    efficientnet_b0,
    mobilenet_v2,
    regnet_x_400mf,
    regnet_y_400mf,
    resnet18,
    resnet50,
)

from auglocal_mm.errors import InputError
from auglocal_mm.local.layer_copy import copy_layer, copy_structure

BLOCKS = {
    'torchvision BasicBlock': lambda: resnet18().layer2[1],
    'torchvision Bottleneck': lambda: resnet50().layer2[1],
    'mmdet BasicBlock': lambda: ResNet(18).layer2[1],
    'mmdet Bottleneck': lambda: ResNet(50).layer2[1],
}


@pytest.mark.parametrize('block', BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize(('in_channels', 'stride'), [(64, 1), (64, 2), (None, 1), (None, 2)])
def test_a_copy_takes_any_width_and_strides_once(block, in_channels, stride):
    original = block()
    width = (
        original.bn2.num_features
        if hasattr(original, 'bn2') and not hasattr(original, 'conv3')
        else original.bn3.num_features
    )
    duplicate = copy_layer(original, in_channels or width, stride)
    assert type(duplicate) is type(original)
    outputs = duplicate(torch.randn(2, in_channels or width, 8, 8))
    assert outputs.shape == (2, width, 8 // stride, 8 // stride)
    assert (duplicate.downsample is None) == (in_channels is None and stride == 1)


def test_a_copy_has_as_many_parameters_as_counted_by_hand():
    # BasicBlock 64 -> 128: two 3x3 convolutions with BatchNorm, and a projection with BatchNorm.
    duplicate = copy_layer(resnet18().layer2[1], 64, 2)
    convolutions = 64 * 128 * 9 + 128 * 128 * 9 + 64 * 128
    assert sum(p.numel() for p in duplicate.parameters()) == convolutions + 3 * 2 * 128


def test_a_bottleneck_strides_in_its_3x3_convolution_except_in_caffes_style():
    assert copy_layer(resnet50().layer2[1], 512, 2).conv2.stride == (2, 2)
    caffe = copy_layer(ResNet(50, style='caffe').layer2[1], 512, 2)
    assert (caffe.conv1.stride, caffe.conv2.stride) == ((2, 2), (1, 1))


def test_weights_are_fresh_and_statistics_reset_and_the_original_untouched():
    original = resnet18().layer2[1]
    original(torch.randn(4, 128, 8, 8))
    before = {name: value.clone() for name, value in original.state_dict().items()}
    duplicate = copy_layer(original, 128, 1)
    assert not torch.equal(duplicate.conv1.weight, original.conv1.weight)
    assert duplicate.bn1.num_batches_tracked == 0
    assert torch.equal(duplicate.bn1.running_mean, torch.zeros(128))
    assert all(torch.equal(value, before[name]) for name, value in original.state_dict().items())
    assert not {id(p) for p in duplicate.parameters()} & {id(p) for p in original.parameters()}


def test_a_sequence_loses_its_pooling_and_strides_in_its_first_convolution():
    stem = nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 1))
    duplicate = copy_layer(stem, 5, 2)
    assert [type(layer).__name__ for layer in duplicate] == ['Conv2d', 'BatchNorm2d', 'ReLU', 'Conv2d']
    assert duplicate(torch.randn(2, 5, 8, 8)).shape == (2, 16, 4, 4)


TORCHVISION_BLOCKS = {
    'MobileNetV2': lambda: mobilenet_v2().features[5],
    'MobileNetV2, first': lambda: mobilenet_v2().features[1],
    'EfficientNet': lambda: efficientnet_b0().features[3][1],
    'EfficientNet, first': lambda: efficientnet_b0().features[1][0],
    'RegNetX': lambda: regnet_x_400mf().trunk_output[1][1],
    'RegNetY': lambda: regnet_y_400mf().trunk_output[1][1],
    'convolution, norm, activation': lambda: mobilenet_v2().features[18],
}


@pytest.mark.parametrize('block', TORCHVISION_BLOCKS.values(), ids=TORCHVISION_BLOCKS)
def test_the_structure_of_torchvisions_blocks_is_copied(block):
    original = block()
    convolutions = [m for m in original.modules() if isinstance(m, nn.Conv2d)]
    own_width = convolutions[0].in_channels
    width = original(torch.randn(2, own_width, 8, 8)).shape[1]
    same = copy_layer(original, own_width, 1)
    assert isinstance(original, type(same))
    shapes = [tuple(m.weight.shape) for m in same.modules() if isinstance(m, nn.Conv2d)]
    assert shapes == [tuple(m.weight.shape) for m in convolutions]
    for in_channels, stride in ((24, 1), (24, 2), (own_width, 2)):
        outputs = copy_layer(original, in_channels, stride)(torch.randn(2, in_channels, 8, 8))
        assert outputs.shape == (2, width, 8 // stride, 8 // stride)


def test_a_copy_can_pool_first_instead_of_striding():
    layer = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
    duplicate = copy_layer(layer, 8, 2, pool=True)
    assert isinstance(duplicate[0], nn.MaxPool2d)
    assert duplicate(torch.randn(2, 8, 8, 8)).shape == (2, 16, 4, 4)
    assert not any(isinstance(m, nn.MaxPool2d) for m in copy_layer(layer, 8, 1, pool=True).modules())


def test_a_custom_layer_is_copied_once_its_class_is_registered():
    class Doubling(nn.Module):
        def __init__(self, width: int = 4) -> None:
            super().__init__()
            self.project = nn.Conv2d(width, 8, 1)

    with pytest.raises(InputError, match='Doubling'):
        copy_layer(Doubling(), 3, 1)
    copy_structure.register(Doubling, lambda layer, in_channels, stride: Doubling(in_channels))
    assert copy_layer(Doubling(), 3, 1).project.in_channels == 3


@pytest.mark.parametrize(
    ('layer', 'name'), [(nn.ReLU(), 'ReLU'), (nn.Sequential(nn.ReLU()), 'ReLU'), (nn.Linear(3, 4), 'Linear')]
)
def test_a_layer_that_cannot_be_copied_is_named(layer, name):
    with pytest.raises(InputError, match=rf'\b{name}\b.*copy_structure'):
        copy_layer(layer, 3, 1)
