import pytest
import torch
from mmdet.models import ResNet
from torch import nn
from torchvision.models import resnet18, resnet50

from auglocal_mm.errors import InputError
from auglocal_mm.layer_copy import base_width, copy_layer, layer_width

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
    width = layer_width(original)
    duplicate = copy_layer(original, in_channels or width, stride)
    assert type(duplicate) is type(original)
    outputs = duplicate(torch.randn(2, in_channels or width, 8, 8))
    assert outputs.shape == (2, width, 8 // stride, 8 // stride)
    assert (duplicate.downsample is None) == (in_channels is None and stride == 1)


def test_a_copy_has_the_parameters_of_a_hand_count():
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


def test_base_width_leaves_out_the_expansion():
    assert [base_width(resnet50().layer1[0]), base_width(resnet18().layer1[0])] == [64, 64]
    assert layer_width(resnet50().layer1[0]) == 256


@pytest.mark.parametrize('layer', [nn.ReLU(), nn.Sequential(nn.ReLU()), nn.Linear(3, 4)])
def test_what_cannot_be_copied_is_named(layer):
    with pytest.raises(InputError, match=f'structure of a {type(layer).__name__} cannot be copied'):
        copy_layer(layer, 3, 1)
