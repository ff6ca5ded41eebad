"""An exported backbone in the libraries that it is exported for: loaded strictly, with the outputs of the classifier."""

from pathlib import Path

import pytest
import timm
import torch
import torchvision
from mmdet.models import ResNet
from tests_models import cifar_resnet, classifier
from tests_support import call
from torchvision.models import get_model

from auglocal_mm.models import ImageClassifier
from auglocal_mm.weights.checkpoint_file import read_weights
from auglocal_mm.weights.layouts import resnet_name

EXPORT = 'tools/model_converters/export_backbone.py'
IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope='module')
def resnet18() -> ImageClassifier:
    """A classifier of ten classes with running statistics that differ from the initial ones."""
    torch.manual_seed(0)
    model = classifier(dict(type='mmdet.ResNet', depth=18, out_indices=(3,)))
    for name, buffer in model.named_buffers():
        if 'running' in name:
            buffer.uniform_(0.5, 1.5)
    return model.eval()


def save(model: torch.nn.Module, folder: Path, architecture: str | None = None) -> str:
    path = folder / 'epoch_1.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {'auglocal_mm': {'architecture': architecture}}}, path)
    return str(path)


@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
@pytest.mark.parametrize('layout', ['torchvision', 'timm', 'mmdet'])
@torch.no_grad()
def test_the_library_computes_what_was_trained(resnet18, layout, suffix, tmp_path, capsys):
    out = str(tmp_path / f'backbone.{suffix}')
    call(EXPORT, save(resnet18, tmp_path), out, '--layout', layout, '--format', suffix)
    assert ('classifier is left out' in capsys.readouterr().out) == (layout == 'mmdet')
    with torch.device('meta'):
        network = {
            'torchvision': lambda: torchvision.models.resnet18(num_classes=10),
            'timm': lambda: timm.create_model('resnet18', num_classes=10),
            'mmdet': lambda: ResNet(18, out_indices=(3,)),
        }[layout]()
    network.load_state_dict(read_weights(out), strict=True, assign=True)
    features = resnet18.backbone(IMAGES)[-1]
    expected = features if layout == 'mmdet' else resnet18.head(features)
    network.eval()  # MMDetection's returns nothing
    found = network(IMAGES)
    torch.testing.assert_close(found[-1] if layout == 'mmdet' else found, expected, rtol=0, atol=1e-5)


def test_a_narrow_network_is_exported_for_mmdet_alone(tmp_path, capsys):
    model = classifier(dict(type='mmdet.ResNet', depth=18, base_channels=8, out_indices=(3,)))
    checkpoint, out = save(model, tmp_path), tmp_path / 'out' / 'backbone.pth'
    call(EXPORT, checkpoint, str(out), '--layout', 'mmdet')
    ResNet(18, base_channels=8).load_state_dict(read_weights(out), strict=True)
    refused(capsys, tmp_path, checkpoint, 'timm', 'timm', 'not for ResNet-18 of base width 8')


@pytest.mark.parametrize(
    ('network', 'name'),
    [
        (lambda: get_model('resnet50'), 'ResNet-50'),
        (lambda: get_model('resnext50_32x4d'), 'resnext50_32x4d'),
        (lambda: get_model('wide_resnet50_2'), 'wide_resnet50_2'),
        (lambda: ResNet(50, base_channels=16), 'ResNet-50 of base width 16'),
        (lambda: ResNet(34, in_channels=1), 'modified ResNet-34'),
        (lambda: ResNet(34, deep_stem=True), 'modified ResNet-34'),
        (lambda: get_model('mobilenet_v2'), 'unknown'),
    ],
)
def test_a_resnet_is_named_by_the_shapes_of_its_weights(network, name):
    with torch.device('meta'):
        assert resnet_name(network().state_dict()) == name


def test_another_stem_is_refused(resnet18, tmp_path, capsys):
    state = resnet18.state_dict() | {'backbone.conv1.weight': torch.ones(64, 3, 3, 3)}
    torch.save({'state_dict': state, 'meta': {'auglocal_mm': {'architecture': 'ResNet-18'}}}, tmp_path / 'a.pth')
    refused(
        capsys, tmp_path, str(tmp_path / 'a.pth'), 'mmdet', 'mmdet', 'conv1.weight', '(64, 3, 3, 3)', '(64, 3, 7, 7)'
    )


@pytest.mark.parametrize('layout', ['torchvision', 'timm', 'mmdet'])
def test_a_network_that_a_library_does_not_have_is_refused(layout, tmp_path, capsys):
    model = classifier(cifar_resnet())
    refused(capsys, tmp_path, save(model, tmp_path, model.backbone.architecture), layout, layout, 'CIFARResNet-20')


def test_torchvisions_names_of_another_network_are_not_timms(tmp_path, capsys):
    state = torchvision.models.get_model('squeezenet1_1').state_dict()
    torch.save({'state_dict': state, 'meta': {'auglocal_mm': {'architecture': 'squeezenet1_1'}}}, tmp_path / 'a.pth')
    refused(capsys, tmp_path, str(tmp_path / 'a.pth'), 'timm', 'timm', 'squeezenet1_1', '--layout')
    call(EXPORT, str(tmp_path / 'a.pth'), str(tmp_path / 'backbone.pth'), '--layout', 'torchvision')


def test_a_format_that_the_name_contradicts_is_refused(resnet18, tmp_path, capsys):
    checkpoint = save(resnet18, tmp_path)
    refused(capsys, tmp_path, checkpoint, 'timm', '--format', 'backbone.pth', options=('--format', 'safetensors'))


def refused(capsys, folder: Path, checkpoint: str, layout: str, *words: str, options: tuple[str, ...] = ()) -> None:
    """One sentence with these words, and nothing written."""
    with pytest.raises(SystemExit, match='1'):
        call(EXPORT, checkpoint, str(folder / 'backbone.pth'), '--layout', layout, *options)
    said = capsys.readouterr().err
    assert all(word in said for word in words), said
    assert not list(folder.glob('*backbone*'))
