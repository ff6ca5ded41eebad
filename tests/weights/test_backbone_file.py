import errno
import importlib.util
import json
import os
import resource
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
import torchvision
from mmdet.models import ResNet
from tests_support import REPOSITORY

from auglocal_mm.errors import InputError
from auglocal_mm.weights.backbone_file import check_sha256, load_backbone, sha256, write_backbone
from auglocal_mm.weights.checkpoint_file import read_weights

specification = importlib.util.spec_from_file_location(
    'export_backbone', REPOSITORY / 'tools/model_converters/export_backbone.py'
)
export_backbone = importlib.util.module_from_spec(specification)
specification.loader.exec_module(export_backbone)


def checkpoint(depth: int = 18, classes: int = 5) -> dict:
    network = torchvision.models.get_model(f'resnet{depth}', num_classes=classes)
    state = {
        ('head.' if name.startswith('fc.') else 'backbone.') + name: value
        for name, value in network.state_dict().items()
    }
    recorded = {'method': 'AugLocalHead', 'accuracy': {'accuracy/top1': 91.5}, 'config_hash': 'abc'}
    return {
        'state_dict': state | {'auxiliary_heads.0.fc.weight': torch.ones(2)},
        'meta': {'epoch': 3, 'auglocal_mm': recorded},
    }


@pytest.mark.parametrize('depth', [18, 50])
def test_loads_strictly_into_torchvision_and_mmdet(tmp_path, depth):
    path, source = tmp_path / 'backbone.pth', checkpoint(depth)
    description = json.loads(write_backbone(path, source).read_text())
    weights = torch.load(path, weights_only=True)
    torchvision.models.get_model(f'resnet{depth}', num_classes=5).load_state_dict(weights, strict=True)
    detector = ResNet(depth, init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    detector.init_weights()
    assert all(torch.equal(v, source['state_dict'][f'backbone.{k}']) for k, v in detector.state_dict().items())
    check_sha256(path)
    assert description['architecture'] == f'ResNet-{depth}'
    assert (description['method'], description['num_classes'], description['epoch']) == ('AugLocalHead', 5, 3)
    assert description['accuracy'] == {'accuracy/top1': 91.5}


@pytest.mark.parametrize(
    ('network', 'backbone', 'expected'),
    [
        ('resnext50_32x4d', "backbone=dict(type='mmdet.ResNeXt', depth=50)", 'ResNeXt'),
        ('resnet50', "backbone=dict(type='mmdet.ResNet', depth=50)", 'ResNet-50'),
        ('resnet50', "backbone=dict(type='TorchvisionBackbone', name='resnet50')", 'ResNet-50'),
        ('vgg11', "backbone=dict(type='package.chains.PlainNetwork')", 'PlainNetwork'),
        ('vgg11', "type='mmpretrain.ImageClassifier'", 'ImageClassifier'),
        ('vgg11', 'backbone=[]', 'unknown'),
    ],
)
def test_another_network_than_a_plain_resnet_is_named_by_its_class(tmp_path, network, backbone, expected):
    state = torchvision.models.get_model(network).state_dict()
    meta = {'cfg': f'model = dict({backbone})\n'}
    record = write_backbone(tmp_path / 'backbone.pth', {'state_dict': state, 'meta': meta})
    assert json.loads(record.read_text())['architecture'] == expected


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    source = checkpoint()
    source['state_dict']['backbone.layer2.0.bn1.running_var'][1] = float('nan')
    with pytest.raises(InputError, match=r'layer2\.0\.bn1\.running_var.*\bnan\b'):
        write_backbone(tmp_path / 'backbone.pth', source)
    assert not list(tmp_path.iterdir())


def test_loading_reports_what_matched(tmp_path):
    path = tmp_path / 'backbone.pth'
    write_backbone(path, checkpoint())
    network = ResNet(18)
    coverage = load_backbone(network, path)
    assert (len(coverage.matched), coverage.missing, coverage.unexpected) == (120, [], ['fc.weight', 'fc.bias'])
    assert '120 matched, 0 missing, 2 unexpected' in str(coverage)


def test_another_depth_is_refused_and_nothing_loaded(tmp_path):
    path = tmp_path / 'backbone.pth'
    write_backbone(path, checkpoint(18))
    network = ResNet(34)
    before = network.conv1.weight.clone()
    with pytest.raises(InputError, match=r'backbone\.pth.*ResNet-18.*ResNet-34'):
        load_backbone(network, path)
    assert torch.equal(network.conv1.weight, before)


def test_more_weights_than_the_network_has_are_refused(tmp_path):
    path = tmp_path / 'backbone.pth'
    write_backbone(path, checkpoint(34))
    with pytest.raises(InputError, match=r'unexpected: layer1\.2'):
        load_backbone(ResNet(18), path)


def test_truncated_missing_and_other_files_are_refused(tmp_path):
    path = tmp_path / 'backbone.pth'
    with pytest.raises(InputError, match=r'no .*backbone\.pth'):
        read_weights(path)
    write_backbone(path, checkpoint())
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(InputError, match=r'backbone\.pth.*truncated'):
        read_weights(path)
    path.write_text('no checkpoint at all')
    with pytest.raises(InputError, match=r'backbone\.pth'):
        read_weights(path)
    torch.save([1, 2], path)
    with pytest.raises(InputError, match=r'backbone\.pth.*\blist\b'):
        read_weights(path)
    torch.save({'state_dict': {'w': torch.zeros(2)}}, path)
    with pytest.raises(InputError, match=r'backbone\.pth.*\b0 matched'):
        load_backbone(ResNet(18), path)


@pytest.mark.parametrize('legacy', [False, True])
def test_a_changed_byte_is_noticed(tmp_path, legacy):
    path = tmp_path / 'weights.pth'
    torch.save({'w': torch.arange(4096.0)}, path, _use_new_zipfile_serialization=not legacy)
    assert torch.equal(read_weights(path)['w'], torch.arange(4096.0))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    if legacy:
        read_weights(path)  # has no checksums
    else:
        with pytest.raises(InputError, match=r'weights\.pth.*checksum.*weights/data/0'):
            read_weights(path)


def test_the_same_weights_make_the_same_file(tmp_path):
    source, contents = checkpoint(), []
    for name in ('one', 'two'):
        write_backbone(tmp_path / f'{name}.pth', source)
        contents.append((tmp_path / f'{name}.pth').read_bytes() + (tmp_path / f'{name}.json').read_bytes())
    assert contents[0] == contents[1]


def test_a_changed_file_is_noticed(tmp_path):
    path = tmp_path / 'backbone.pth'
    write_backbone(path, checkpoint())
    torch.save(torch.load(path), path)
    path.write_bytes(path.read_bytes() + b'\0')
    with pytest.raises(InputError, match=r'backbone\.pth.*backbone\.json.*SHA-256'):
        check_sha256(path)
    description = json.loads(path.with_suffix('.json').read_text())
    description['sha'] = description.pop('sha256')
    path.with_suffix('.json').write_text(json.dumps(description))
    with pytest.raises(InputError, match=r'backbone\.pth.*backbone\.json.*SHA-256.*missing'):
        check_sha256(path)
    path.with_suffix('.json').write_text('{"architectures": ["of another program"]}')
    check_sha256(path)


@pytest.mark.parametrize('full', ['weights', 'description'])
@pytest.mark.parametrize('old', [True, False])
def test_on_a_full_disk_there_are_both_files_or_none(full, old, tmp_path, monkeypatch, capsys):
    path, source = tmp_path / 'backbone.pth', tmp_path / 'epoch_3.pth'
    torch.save(checkpoint(classes=7), source)
    if old:
        write_backbone(path, checkpoint())
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    if full == 'weights':
        resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, limit[1]))
    else:
        monkeypatch.setattr(Path, 'write_text', Mock(side_effect=OSError(errno.ENOSPC, 'No space left on device')))
    try:
        with pytest.raises(SystemExit):
            export_backbone.main([str(source), str(path)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    error = capsys.readouterr().err
    assert error.startswith('error: ') and 'write' in error and error.count('\n') == 1 and 'backbone.' in error
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ('recorded', 'said'),
    [
        ([], r'meta\.auglocal_mm'),
        ({'accuracy': {'accuracy/top1': 1e9}}, r'accuracy.*1000000000'),
        ({'method': 5}, r'method.*\b5\b'),
    ],
)
def test_a_record_in_a_checkpoint_that_makes_no_sense_is_refused(recorded, said, tmp_path):
    source = checkpoint()
    source['meta']['auglocal_mm'] = recorded
    with pytest.raises(InputError, match=said):
        write_backbone(tmp_path / 'backbone.pth', source)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('text', ['[1]', '{"sha256": 5}', '{', '{"sha256": ""}', '{"sha256": "0"}'])
def test_a_description_of_another_file_or_none_is_refused(text, tmp_path):
    write_backbone(tmp_path / 'backbone.pth', checkpoint()).write_text(text)
    with pytest.raises(InputError, match=r'backbone\.json'):
        check_sha256(tmp_path / 'backbone.pth')


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / 'backbone.pth'
    write_backbone(path, checkpoint())
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(*_):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(InputError, match=r'write.*backbone\.pth.*No space left on device'):
        write_backbone(path, checkpoint(34))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'hello world',
        b'<html></html>',
        b'PK\x03\x04',
        {1: torch.zeros(2)},
        {'state_dict': [1]},
        [1],
        5,
        {'state_dict': None},
        {'state_dict': {}, 'meta': 5},
    ],
)
def test_what_is_not_a_checkpoint_is_refused(content, tmp_path):
    path = tmp_path / 'x.pth'
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(InputError, match=r'x\.pth'):
        read_weights(path)


def test_a_backbone_that_cannot_be_hashed_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EIO, 'Input/output error')

    monkeypatch.setattr(Path, 'read_bytes', refuse)
    with pytest.raises(InputError, match=f'{tmp_path}/backbone.pth.*read.*Input/output error'):
        sha256(tmp_path / 'backbone.pth')
