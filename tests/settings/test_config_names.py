import pytest
from mmengine.config import Config
from tests_support import REPOSITORY

from auglocal_mm.errors import InputError
from auglocal_mm.settings import config_names
from auglocal_mm.settings.config_file import read_config_file

BASE = """
default_scope = 'auglocal_mm'
data_root = 'data/old'
crop = [dict(type='RandomCrop', size=32)]
epochs = 12
dataset = dict(type='ImageFolder', data_root=data_root, transforms=crop)
train_dataloader = dict(batch_size=8, dataset=dataset)
val_dataloader = dict(batch_size=8, dataset=dict(data_root=data_root + '/val'))
train_cfg = dict(max_epochs=epochs)
"""


def read(tmp_path, child, changes=None, base=BASE):
    (tmp_path / 'base.py').write_text(base)
    (tmp_path / 'child.py').write_text(f"_base_ = './base.py'\n{child}")
    return read_config_file(str(tmp_path / 'child.py'), changes)


@pytest.mark.parametrize(
    ('child', 'said'),
    [
        ("data_root = 'new'", ['data_root', 'train_dataloader.dataset.data_root', 'val_dataloader.dataset.data_root']),
        ("crop = [dict(type='RandomCrop', size=64)]", ['crop', 'train_dataloader.dataset.transforms']),
        ('epochs = 24', ['epochs', 'train_cfg']),
        ("data_root = 'new'\nmodel = dict(depth=5)", ['data_root']),
        ('train_dataloder = dict(batch_size=2)', ['train_dataloder', 'did you mean train_dataloader']),
    ],
)
def test_a_name_that_comes_too_late_is_refused(tmp_path, child, said):
    with pytest.raises(InputError) as caught:
        read(tmp_path, child)
    assert all(word in str(caught.value) for word in ('child.py', *said))


@pytest.mark.parametrize(
    'child',
    [
        "data_root = 'data/old'",
        "data_root = 'new'\ndataset = dict(data_root=data_root)\n"
        'train_dataloader = dict(dataset=dataset)\nval_dataloader = dict(dataset=dict(data_root=data_root))',
        'epochs = 24\ntrain_cfg = dict(max_epochs=epochs)',
        'epochs = 24\ntrain_cfg = dict(max_epochs=_base_.epochs * 2, by_epoch=epochs > 1)',
        'train_cfg = dict(max_epochs=24)',
        'mine = 5',
        'test_pipeline = []',
        '_base_.train_dataloader.dataset.data_root = "new"',
    ],
)
def test_names_that_have_an_effect_pass(tmp_path, child):
    read(tmp_path, child)


def test_what_keeps_the_old_value_beside_the_new_one_is_said(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(config_names, 'print_log', lambda message, **_: said.append(message))
    config = read(tmp_path, "data_root = 'new'\ntrain_dataloader = dict(dataset=dict(data_root=data_root))")
    assert 'child.py sets data_root' in said[0]
    assert 'val_dataloader.dataset.data_root' in said[0]
    assert (config.train_dataloader.dataset.data_root, config.val_dataloader.dataset.data_root) == (
        'new',
        'data/old/val',
    )


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        ({'data_root': 'new'}, 'train_dataloader.dataset.data_root, val_dataloader.dataset.data_root'),
        ({'crop.0.size': 64}, 'train_dataloader.dataset.transforms'),
        ({'epochs': 24}, '--cfg-options.*epochs'),
    ],
)
def test_a_command_line_comes_too_late_for_them_too(tmp_path, change, said):
    with pytest.raises(InputError, match=said.replace('t.d', r't\.d')):
        read(tmp_path, '', change)


def test_a_grandchild_and_mmdetection_are_looked_through(tmp_path):
    (tmp_path / 'child.py').write_text(f"_base_ = '{REPOSITORY}/configs/_base_/benchmarks/coco.py'\n")
    (tmp_path / 'grandchild.py').write_text("_base_ = './child.py'\ndata_root = '/my/coco'")
    read_config_file(str(tmp_path / 'child.py'))
    with pytest.raises(InputError, match=r'grandchild\.py.*data_root.*train_dataloader\.dataset\.data_root'):
        read_config_file(str(tmp_path / 'grandchild.py'))


def test_pure_python_configs_are_looked_through(tmp_path):
    (tmp_path / 'base_pure.py').write_text('from torch.optim import SGD\n' + BASE + 'optim_wrapper = dict(type=SGD)')
    child = tmp_path / 'child_pure.py'
    start = 'from mmengine.config import read_base\nwith read_base():\n    from .base_pure import *\n'
    child.write_text(start + 'train_cfg.update(max_epochs=5)')
    config = read_config_file(str(child), {'train_dataloader.batch_size': 4})
    assert (config.train_cfg.max_epochs, config.train_dataloader.batch_size) == (5, 4)
    assert config.optim_wrapper.type == 'torch.optim.SGD'
    assert Config.fromstring(config.pretty_text, '.py').to_dict() == config.to_dict()
    child.write_text(start + "data_root = 'new'")
    with pytest.raises(InputError, match=r'child_pure\.py.*data_root'):
        read_config_file(str(child))
