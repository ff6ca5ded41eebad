import pytest
import torch
import torchvision
from tests_models import cifar_resnet, classifier

from auglocal_mm.backbones import CIFARResNet, TorchvisionBackbone
from auglocal_mm.errors import InputError
from auglocal_mm.local.state import State
from auglocal_mm.weights.backbone_file import load_backbone, write_backbone

pytestmark = pytest.mark.usefixtures('repeated_weights')

NETWORKS = {
    'vgg13_bn': 10,
    'vgg19_bn': 16,
    'mobilenet_v2': 19,
    'efficientnet_b0': 18,
    'regnet_x_400mf': 23,
    'resnet18': 9,
}


@pytest.mark.parametrize(('depth', 'layers'), [(20, 10), (32, 16), (44, 22), (56, 28), (110, 55)])
def test_cifar_resnets_have_the_local_layers_of_the_paper(depth, layers):
    model = classifier(cifar_resnet(depth), device='meta')
    assert len(model.layers) == layers
    assert [model.shapes[0].size, model.shapes[-1].size] == [(16, 32, 32), (64, 8, 8)]


def test_resnet20_has_the_size_of_the_paper_and_two_projections():
    parameters = sum(p.numel() for p in classifier(cifar_resnet(20), device='meta').parameters())
    projections = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert parameters == 269722 + projections  # 0.27 M in table 6 of arXiv 1512.03385, with parameter-free shortcuts


def test_other_depths_are_refused():
    with pytest.raises(InputError, match=r'backbone\.depth\b.*\b33\b.*\b20, 32\b'):
        CIFARResNet(33)


@pytest.mark.parametrize(('name', 'layers'), NETWORKS.items())
def test_torchvisions_networks_are_chains_of_local_layers(name, layers):
    torch.manual_seed(0)
    model = classifier(dict(type='TorchvisionBackbone', name=name), image_size=64, channels_last=False)
    assert len(model.layers) == layers
    backbone = model.backbone.eval()
    network = torchvision.models.get_model(name, weights=None).eval()
    images = torch.randn(2, 3, 64, 64)
    own = backbone.state_dict()
    network.load_state_dict(own, strict=False)
    assert set(own) <= set(network.state_dict())
    expected = {}
    last = {'regnet_x_400mf': 'trunk_output', 'resnet18': 'layer4'}.get(name, 'features')
    network.get_submodule(last).register_forward_hook(lambda _, __, output: expected.update(maps=output))
    network(images)
    assert torch.equal(backbone(images), expected['maps'])


@pytest.mark.parametrize('name', NETWORKS)
def test_every_network_gets_auxiliary_networks_of_its_own_layers(name):
    model = classifier(dict(type='TorchvisionBackbone', name=name), dict(type='AugLocalHead', depth=3), image_size=64)
    state = State(torch.randn(2, 3, 64, 64))
    for module in model.local_modules():
        state = module(state)
        assert module.head(state.features).shape == (2, 10)


def test_strides_can_be_changed_by_path():
    small = dict(type='TorchvisionBackbone', name='mobilenet_v2', strides={'features.0.0': 1, 'features.2.conv.1.0': 1})
    assert classifier(small).shapes[-1].size == (1280, 4, 4)


@pytest.mark.parametrize(
    ('settings', 'words'),
    [
        (dict(name='resnet33'), ["'resnet33'", 'list_models']),
        (dict(name='alexnet'), ['AlexNet', 'partition=dict(chain=']),
        (dict(name='resnet18', strides={'layer9': 1}), ['backbone.strides', "'layer9'"]),
        (dict(name='resnet18', strides={'bn1': 1}), ['backbone.strides', "'bn1'", 'BatchNorm2d']),
        (dict(name='resnet18', chain=['conv2']), ['ResNet', "'conv2'", 'conv1']),
    ],
)
def test_bad_settings_are_refused(settings, words):
    with pytest.raises(InputError) as caught:
        TorchvisionBackbone(**settings)
    assert all(word in str(caught.value) for word in words)


def test_another_network_needs_only_its_chain():
    backbone = dict(type='TorchvisionBackbone', name='mnasnet0_5', chain=['layers.*'])
    model = classifier(backbone, dict(type='DGLHead'), image_size=64)
    assert [layer.name for layer in model.layers] == [f'layers.{index}' for index in range(17)]


def test_layers_that_cannot_be_chained_are_refused():
    backbone = dict(type='TorchvisionBackbone', name='vit_b_16', chain=['conv_proj', 'encoder'])
    with pytest.raises(InputError, match=r'\bencoder\b.*partition\.chain'):
        classifier(backbone, image_size=224)


def test_images_too_small_for_the_network_are_refused():
    with pytest.raises(InputError, match=r'\bconv\d+\b.*\b16 pixels\b.*model\.image_size'):
        classifier(dict(type='TorchvisionBackbone', name='vgg13_bn'), image_size=16)


@pytest.mark.parametrize(
    ('name', 'settings', 'head'),
    [
        ('mnasnet0_5', dict(chain=['layers.*']), 'LinearHead'),
        ('mobilenet_v2', {}, 'LinearHead'),
        ('regnet_x_400mf', {}, 'LinearHead'),
        ('vgg11', {}, 'VGGHead'),
        ('vit_b_32', dict(options=dict(image_size=32)), 'ClassTokenHead'),
    ],
)
def test_exports_load_in_torchvision_with_every_name(tmp_path, name, settings, head):
    backbone = dict(type='TorchvisionBackbone', name=name, **settings)
    model = classifier(backbone, head=dict(type=head, num_classes=3), image_size=32 if head == 'ClassTokenHead' else 64)
    meta = dict(auglocal_mm=dict(architecture=model.backbone.architecture))
    write_backbone(tmp_path / 'backbone.pth', dict(state_dict=model.state_dict(), meta=meta))
    with torch.device('cpu' if 'regnet' in name else 'meta'):
        network = torchvision.models.get_model(name, num_classes=3, **settings.get('options', {}))
    exported = torch.load(tmp_path / 'backbone.pth', mmap=True)
    expected = network.state_dict()
    assert exported.keys() == expected.keys()
    expected.update(exported)  # with its version, for which MNASNet asks
    network.load_state_dict(expected, assign=True)
    images = torch.randn(2, 3, 32, 32) if head == 'ClassTokenHead' else torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(network.eval()(images), model.eval()(images), rtol=1e-4, atol=1e-5)
    assert not load_backbone(model.backbone, tmp_path / 'backbone.pth').missing
