"""Backbones in files as other programs write them."""

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
import torchvision
from mmdet.models import ResNeXt
from tests_support import call

from auglocal_mm.backbones import CIFARResNet
from auglocal_mm.errors import InputError
from auglocal_mm.weights.backbone_file import load_backbone
from auglocal_mm.weights.backbone_record import read_backbone_record
from auglocal_mm.weights.checkpoint_file import read_weights
from auglocal_mm.weights.foreign_backbone import find_backbone

IMPORT = 'tools/model_converters/import_backbone.py'
IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope='module')
def resnet18() -> torch.nn.Module:
    torch.manual_seed(0)
    return timm.create_model('resnet18', num_classes=4).eval()


def released(state: dict[str, torch.Tensor], prefix: str = 'module.') -> dict[str, Any]:
    """The names, and what is saved beside the weights, of the code that AugLocal's and InfoPro's authors released."""
    heads = {
        f'aux_classifier_{stage}_0.head.{number}.conv1.weight': torch.ones(1) for stage in (0, 1) for number in (0, 1)
    }
    state = {**state, **heads, 'decoder_0_0.bce.weight': torch.ones(1)}
    named = {prefix + name: value for name, value in state.items()}
    return {'epoch': 200, 'state_dict': named, 'best_acc1': torch.tensor(73.9), 'optimizer': {'state': {}}}


@torch.no_grad()
@pytest.mark.parametrize(
    'kind',
    ['timm.safetensors', 'torchvision.pth', 'released.pth.tar', 'old.pth', 'wrapped.pth', 'script.pth', 'deepspeed.pt'],
)
def test_a_resnet_of_another_program_computes_the_same(resnet18, kind, tmp_path, capsys):
    state, source, out = resnet18.state_dict(), str(tmp_path / kind), str(tmp_path / 'out' / 'backbone.pth')
    if kind == 'timm.safetensors':
        safetensors.torch.save_file(state, source)
    else:
        old = {name: value for name, value in state.items() if not name.endswith('num_batches_tracked')}
        wrapped = {f'encoder.{name}': value for name, value in state.items()} | {'projector.0.weight': torch.ones(1)}
        script = {'model': state, 'optimizer': {'state': {}}, 'epoch': 89}
        deepspeed = {'module': state, 'ds_version': '0.15'}
        contents = {'script': script, 'deepspeed': deepspeed, 'torchvision': state, 'old': old, 'wrapped': wrapped}
        contents['released'] = released(state)
        torch.save(contents[kind.split('.')[0]], source)
    call(IMPORT, source, out)
    said = capsys.readouterr().out
    left_out = {
        'released.pth.tar': ('aux_classifier (4 tensors)', 'decoder (1 tensors)'),
        'wrapped.pth': ('projector (1',),
    }
    assert all(words in said for words in left_out.get(kind, ()))
    assert said.count('left out') == len(left_out.get(kind, ()))
    network = torchvision.models.resnet18(num_classes=4).eval()
    network.load_state_dict(read_weights(out), strict=True)
    torch.testing.assert_close(network(IMAGES), resnet18(IMAGES), rtol=0, atol=1e-5)
    record = read_backbone_record(tmp_path / 'out' / 'backbone.json')
    assert (record.architecture, record.num_classes, record.method) == ('ResNet-18', 4, 'unknown')


def test_a_wider_network_of_the_same_blocks_is_told_apart(tmp_path, capsys):
    """InfoPro's authors released a ResNeXt-101; this one has the blocks of ResNet-50, and loads faster."""
    network = torchvision.models.resnext50_32x4d(num_classes=4)
    torch.save(released(network.state_dict()), tmp_path / 'a.tar')
    call(IMPORT, str(tmp_path / 'a.tar'), str(tmp_path / 'backbone.pth'))
    assert 'resnext50_32x4d' in capsys.readouterr().out
    loaded = ResNeXt(groups=32, base_width=4, depth=50)
    load_backbone(loaded, tmp_path / 'backbone.pth')
    assert all(torch.equal(value, network.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_the_released_networks_for_small_images(tmp_path, capsys):
    network = CIFARResNet(20)
    torch.save(
        released(network.state_dict() | {'fc.weight': torch.ones(10, 64), 'fc.bias': torch.ones(10)}),
        tmp_path / 'a.tar',
    )
    call(IMPORT, str(tmp_path / 'a.tar'), str(tmp_path / 'backbone.pth'))
    assert 'CIFARResNet-20' in capsys.readouterr().out
    loaded = CIFARResNet(20)
    load_backbone(loaded, tmp_path / 'backbone.pth')
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in network.state_dict().items())


def without(state: dict[str, Any], dropped: str) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name != dropped}


def test_the_classifier_that_manpp_trains_is_taken(tmp_path, capsys):
    used, unused = torch.randn(10, 64), torch.randn(10, 64)
    state = {**CIFARResNet(20).state_dict(), 'fc.weight': unused, 'fc64.weight': used, 'fc64.bias': torch.ones(10)}
    torch.save(released(state), tmp_path / 'manpp.pth.tar')
    call(IMPORT, str(tmp_path / 'manpp.pth.tar'), str(tmp_path / 'backbone.pth'))
    found = read_weights(tmp_path / 'backbone.pth')
    assert torch.equal(found['fc.weight'], used) and torch.equal(found['fc.bias'], torch.ones(10))
    assert 'fc64.weight' not in found and 'left out: fc.weight (1 tensors)' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda state: without(state, 'layer3.0.bn2.weight'), r'no layer3\.0\.bn2\.weight, which ResNet-18 has'),
        (lambda state: state | {'layer1.0.se.fc1.weight': torch.ones(1)}, r'layer1\.0\.se\.fc1\.weight'),
        (
            lambda state: state | {'layer2.0.conv1.weight': torch.ones(1)},
            r'layer2\.0\.conv1\.weight has the shape \(1,\)',
        ),
        (lambda state: {name: value for name, value in state.items() if 'layer4' not in name}, '6 blocks'),
        (lambda state: {f'{key}.{name}': value for key in 'qk' for name, value in state.items()}, r'q\., k\.'),
        (lambda state: state | {'bn1.bias': torch.full((64,), torch.nan)}, r'diverged training: bn1\.bias is nan'),
        (lambda state: state | {'fc.bias': torch.full((4,), torch.inf)}, r'diverged training: fc\.bias is inf'),
        (lambda state: without(state, 'conv1.weight'), 'no ResNet'),
        (lambda state: {'features.0.weight': torch.ones(1)}, 'no ResNet'),
    ],
)
def test_what_is_not_one_whole_resnet_is_refused(resnet18, change, words):
    with pytest.raises(InputError, match=rf'^a\.pth .*{words}'):
        find_backbone(change(resnet18.state_dict()), 'a.pth')


@pytest.mark.parametrize('taken', ['state_dict', 'model'])
def test_the_average_beside_the_weights_is_left_out_and_named(resnet18, taken, tmp_path, capsys):
    state = resnet18.state_dict()
    average = {name: value + 1 for name, value in state.items()}
    content = {f'{taken}_ema': average, taken: state, 'scaler': {'scale': torch.ones(1)}}
    torch.save(content, tmp_path / 'a.pth')
    call(IMPORT, str(tmp_path / 'a.pth'), str(tmp_path / 'backbone.pth'))
    (line,) = (line for line in capsys.readouterr().out.splitlines() if 'left out' in line)
    assert f'{taken}_ema ({len(state)} tensors)' in line and 'state_dict, model' in line
    assert torch.equal(read_weights(tmp_path / 'backbone.pth')['conv1.weight'], state['conv1.weight'])


@pytest.mark.parametrize('out', ['a.pth', 'a.json'])
def test_an_import_overwrites_neither_its_source_nor_itself(resnet18, out, tmp_path, capsys):
    torch.save(resnet18.state_dict(), tmp_path / 'a.pth')
    before = (tmp_path / 'a.pth').read_bytes()
    with pytest.raises(SystemExit, match='1'):
        call(IMPORT, str(tmp_path / 'a.pth'), str(tmp_path / out))
    assert str(Path(tmp_path, out)) in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']
    assert (tmp_path / 'a.pth').read_bytes() == before
