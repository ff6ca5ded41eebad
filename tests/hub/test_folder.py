"""A folder to publish, as timm reads it and as a person reads it."""

import copy
import json
import shutil
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from mmengine.runner import Runner
from tests_support import call
from tests_training import stages, tiny_training, write_images

from auglocal_mm.errors import InputError
from auglocal_mm.hub.folder import write_hub_folder
from auglocal_mm.weights.backbone_file import check_sha256, sha256
from auglocal_mm.weights.backbone_record import BackboneRecord
from auglocal_mm.weights.checkpoint_file import read_weights
from auglocal_mm.weights.record_text import accuracies

EXPORT = 'tools/model_converters/export_backbone.py'


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The checkpoint of an epoch of a ResNet-18 in two local modules."""
    folder = tmp_path_factory.mktemp('trained')
    settings = {
        'model.backbone.base_channels': 64,
        'model.auxiliary_heads.depth': 2,
        'model.partition': dict(num_local_modules=2),
        'train_cfg.max_epochs': 1,
    }
    images = write_images(folder / 'images')
    Runner.from_cfg(tiny_training('auglocal', images, work_dir=str(folder), **stages(4), **settings)).train()
    return str(folder / 'epoch_1.pth')


def facts(folder: Path) -> dict[str, str]:
    """The table of the model card."""
    rows = [line.split(' | ') for line in (folder / 'README.md').read_text().splitlines() if line.startswith('| ')]
    return {name.strip('| '): value.strip('| ') for name, value in rows[2:]}


@torch.no_grad()
def test_timm_reads_the_folder(trained, tmp_path):
    folder = tmp_path / 'hub'
    call(EXPORT, trained, str(folder), '--hub-folder')
    model = timm.create_model(f'local-dir:{folder}', pretrained=True).eval()
    weights = {name.split('.', 1)[1]: value for name, value in read_weights(trained)['state_dict'].items()}
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    prepared = timm.data.resolve_model_data_config(model)
    assert list(prepared['input_size']) == [3, 32, 32]
    assert prepared['mean'] == pytest.approx([0.485, 0.456, 0.406])
    assert prepared['std'] == pytest.approx([0.229, 0.224, 0.225])
    assert json.loads((folder / 'config.json').read_text())['label_names'] == ['cat', 'dog', 'emu']


def test_the_model_card_has_what_was_recorded(trained, tmp_path):
    folder = tmp_path / 'hub'
    call(EXPORT, trained, str(folder), '--hub-folder', '--format', 'pth', '--license', 'cc-by-nc-4.0')
    assert sorted(path.name for path in folder.iterdir()) == [
        'README.md',
        'config.json',
        'pytorch_model.bin',
        'pytorch_model.json',
    ]
    check_sha256(folder / 'pytorch_model.bin')
    card, validated = facts(folder), json.loads((Path(trained).parent / 'backbone.json').read_text())
    assert card['method'] == 'AugLocalHead'
    assert card['local modules K'] == '2'
    assert card['auxiliary networks'] == 'AugLocalHead(depth=2)'
    assert card['data'] == 'images (ImageFolder), 3 classes'
    assert (card['epochs'], card['seed']) == ('1', '0')
    assert card['initial weights'] == 'none named in the config'
    assert card['split after'] == validated['partition']['split_points'][0] != ''
    assert card['training images'] == '24'
    assert card['trained on'] == f'{validated["device"]}, 1 process'
    assert card['training time (h:min:s)'].startswith('0:0') and card['peak memory'].endswith(' GiB resident')
    assert f'torch {validated["versions"]["torch"]}' in card['trained with']
    assert card['accuracy/top1'] == accuracies(BackboneRecord.model_validate(validated))['accuracy/top1']
    assert 'over 6 validation images' in card['accuracy/top1']
    assert card['SHA-256 of pytorch_model.bin'] == sha256(folder / 'pytorch_model.bin')
    assert card['licence of the weights'] == 'cc-by-nc-4.0'
    text = (folder / 'README.md').read_text()
    assert 'license: cc-by-nc-4.0\n' in text and 'pretrained with auglocal_mm' in text


@pytest.mark.parametrize('has_logs', [True, False])
def test_an_exported_backbone_has_the_card_of_its_checkpoint(has_logs, trained, tmp_path):
    """Copied away with its description alone, it lacks only what the config says."""
    backbone = Path(trained).with_name('backbone.pth')
    if not has_logs:
        (tmp_path / 'copied').mkdir()
        shutil.copy(backbone.with_suffix('.json'), tmp_path / 'copied')
        backbone = Path(shutil.copy(backbone, tmp_path / 'copied'))
    call(EXPORT, trained, str(tmp_path / 'checkpoint'), '--hub-folder')
    call(EXPORT, str(backbone), str(tmp_path / 'backbone'), '--hub-folder')
    expected, found = facts(tmp_path / 'checkpoint'), facts(tmp_path / 'backbone')
    for each in (expected, found):
        each.pop('training time (h:min:s)'), each.pop('peak memory')  # what was done after the checkpoint is counted
    unknown = {} if has_logs else {'trained as part of': 'not recorded'}
    note = {} if has_logs else {'preparation of images': "not recorded: config.json leaves it to timm's defaults"}
    assert found == expected | unknown | note
    written = [json.loads((tmp_path / name / 'config.json').read_text()) for name in ('checkpoint', 'backbone')]
    assert (written[0]['pretrained_cfg'] == written[1]['pretrained_cfg']) is has_logs


def test_an_exported_backbone_keeps_its_description_in_another_format(trained, tmp_path):
    backbone = Path(trained).with_name('backbone.pth')
    call(EXPORT, str(backbone), str(tmp_path / 'model.safetensors'))
    expected, found = (
        json.loads(path.with_suffix('.json').read_text()) for path in (backbone, tmp_path / 'model.json')
    )
    assert found.pop('sha256') == sha256(tmp_path / 'model.safetensors')
    assert expected.pop('sha256') == sha256(backbone) and found == expected


@pytest.mark.parametrize('options', [[], ['--hub-folder']])
def test_the_description_of_another_backbone_is_refused(options, trained, tmp_path, capsys):
    weights = read_weights(Path(trained).with_name('backbone.pth'))
    torch.save({name: value + 1 for name, value in weights.items()}, tmp_path / 'backbone.pth')
    shutil.copy(Path(trained).with_name('backbone.json'), tmp_path)
    with pytest.raises(SystemExit, match='1'):
        call(EXPORT, str(tmp_path / 'backbone.pth'), str(tmp_path / 'out.pth'), *options)
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert all(str(tmp_path / name) in error for name in ('backbone.pth', 'backbone.json'))
    assert sorted(path.name for path in tmp_path.iterdir()) == ['backbone.json', 'backbone.pth']


def test_another_network_than_a_plain_resnet_is_in_the_title(tmp_path):
    state = torchvision.models.resnext50_32x4d(num_classes=3).state_dict()
    checkpoint = {'state_dict': state, 'meta': {'cfg': "model = dict(backbone=dict(type='ResNeXt', depth=50))\n"}}
    write_hub_folder(tmp_path / 'hub', checkpoint, str(tmp_path / 'other.pth'))
    assert '\n# ResNeXt\n' in (tmp_path / 'hub' / 'README.md').read_text()
    assert json.loads((tmp_path / 'hub' / 'config.json').read_text())['architecture'] == 'ResNeXt'


def test_what_is_not_recorded_is_said(trained, tmp_path):
    weights = {'state_dict': read_weights(trained)['state_dict']}
    write_hub_folder(tmp_path / 'hub', weights, str(tmp_path / 'other.pth'))
    card = facts(tmp_path / 'hub')
    unknown = ('data', 'epochs', 'seed', 'accuracy', 'auxiliary networks', 'split after', 'trained on', 'trained with')
    assert {card[name] for name in unknown} == {'not recorded'}
    assert card['licence of the weights'] == 'not stated'
    assert card['local modules K'] == '2'
    alone = {name: value for name, value in weights['state_dict'].items() if not name.startswith('auxiliary_heads')}
    write_hub_folder(tmp_path / 'alone', alone, str(tmp_path / 'other.pth'))
    assert facts(tmp_path / 'alone')['local modules K'] == 'not recorded'
    assert 'pretrained with auglocal_mm' not in (tmp_path / 'alone' / 'README.md').read_text()


def test_the_backbone_of_a_detector_is_not_said_to_be_trained_by_bp(trained, tmp_path):
    state = {name: value for name, value in read_weights(trained)['state_dict'].items() if name.startswith('backbone.')}
    meta = {'cfg': "model = dict(type='mmdet.MaskRCNN', backbone=dict(type='ResNet'))"}
    write_hub_folder(tmp_path / 'hub', {'state_dict': state, 'meta': meta}, str(tmp_path / 'other.pth'))
    card = facts(tmp_path / 'hub')
    assert card['trained as part of'] == 'mmdet.MaskRCNN'
    assert {card[name] for name in ('method', 'local modules K', 'auxiliary networks')} == {'not recorded'}
    assert 'library_name: timm' not in (tmp_path / 'hub' / 'README.md').read_text()  # without a classifier


def test_the_accuracy_of_other_weights_is_not_taken(trained, tmp_path):
    checkpoint = read_weights(trained)
    other = copy.deepcopy(checkpoint['meta'])
    other['iter'] += 1
    write_hub_folder(tmp_path / 'hub', {**checkpoint, 'meta': other}, trained)
    assert facts(tmp_path / 'hub')['accuracy'] == 'not recorded'


def test_a_folder_with_files_is_left_alone(trained, tmp_path, capsys):
    (tmp_path / 'mine.txt').write_text('mine')
    with pytest.raises(SystemExit, match='1'):
        call(EXPORT, trained, str(tmp_path), '--hub-folder')
    assert str(tmp_path) in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ['mine.txt']


@pytest.mark.parametrize(('key', 'value'), [('cfg', 3), ('seed', 'x'), ('epoch', 'y')])
def test_nothing_is_written_of_a_record_that_is_invalid(trained, tmp_path, key, value):
    meta = {'auglocal_mm': {key: value}} if key == 'epoch' else {key: value}
    checkpoint = {'state_dict': read_weights(trained)['state_dict'], 'meta': meta}
    with pytest.raises(InputError, match=key):
        write_hub_folder(tmp_path / 'hub', checkpoint, 'a.pth')
    assert not list(tmp_path.iterdir())


def test_a_licence_without_a_card_is_refused(trained, tmp_path, capsys):
    with pytest.raises(SystemExit, match='1'):
        call(EXPORT, trained, str(tmp_path / 'a.pth'), '--license', 'mit')
    assert '--license is mit' in capsys.readouterr().err


def test_a_licence_that_is_no_identifier_is_refused(trained, tmp_path, capsys):
    """It would break the header of the model card, which is YAML."""
    with pytest.raises(SystemExit):
        call(EXPORT, trained, str(tmp_path / 'hub'), '--hub-folder', '--license', 'mine: all rights reserved')
    assert "--license is 'mine: all rights reserved'" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_a_folder_without_a_classifier_is_of_features(trained, tmp_path):
    call(
        EXPORT, str(Path(trained).with_name('backbone.pth')), str(tmp_path / 'hub'), '--hub-folder', '--layout', 'mmdet'
    )
    text = (tmp_path / 'hub' / 'README.md').read_text()
    assert 'tags: [image-feature-extraction, local-learning]' in text
    assert facts(tmp_path / 'hub')['data'] == 'images (ImageFolder), 3 classes'
