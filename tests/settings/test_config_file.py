import pytest
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from tests_training import write_images

from auglocal_mm.errors import InputError
from auglocal_mm.settings.config_file import read_config_file


def written(tmp_path, text: str) -> str:
    path = tmp_path / 'some.py'
    path.write_text(text)
    return str(path)


def test_the_command_line_wins(tmp_path):
    path = written(tmp_path, 'train_dataloader = dict(batch_size=8, num_workers=2)')
    loader = read_config_file(path, {'train_dataloader.batch_size': 4}).train_dataloader
    assert (loader.batch_size, loader.num_workers) == (4, 2)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('model = dict(', r'some\.py.*SyntaxError'),
        ('model = dict(depth=dept)', 'NameError'),
        ("_base_ = './some.py'", r'some\.py.*_base_'),
        ('model = 5', 'model is 5; .*dict'),
        ("optim_wrapper = dict(optimizer=['SGD'])", r"optim_wrapper\.optimizer is \['SGD'\]; .*dict"),
        ('custom_hooks = 5', 'custom_hooks is 5; .*dicts'),
        ('load_from = 5', 'load_from is 5'),
        ('randomness = dict(seed=-1)', r'randomness\.seed is -1; .* 0'),
        ('randomness = dict(seed=2**32)', r'randomness\.seed is 4294967296; .*2\*\*32'),
        ('train_cfg = dict(val_interval=0)', r'train_cfg\.val_interval is 0; .* 1'),
        ('train_dataloader = dict(batch_size=True)', r'train_dataloader\.batch_size is True'),
        ('val_dataloader = dict(batch_sise=8)', r"val_dataloader .*'batch_sise'; .*batch_size"),
        (
            'val_dataloader = dict(persistent_workers=True)',
            r'val_dataloader\.persistent_workers is True.*num_workers is 0',
        ),
        ('val_dataloader = dict(x=8)', r"val_dataloader .*'x'; .*dataset, batch_size"),
        (
            'optim_wrapper = dict(clip_grad=dict(max_nrm=1))',
            r"optim_wrapper\.clip_grad is \{'max_nrm': 1\}; .*max_norm",
        ),
        ('optim_wrapper = dict(clip_grad=dict(max_norm=-1))', r'optim_wrapper\.clip_grad\.max_norm is -1; .* 0'),
        ("_base_ = './nowhere.py'", r'some\.py.*nowhere\.py.*_base_'),
        (
            'train_dataloader = dict(batch_size=0)',
            r'train_dataloader\.batch_size is 0; .* 1',
        ),
        ('val_dataloader = dict(batch_size=2.5)', r'val_dataloader\.batch_size is 2\.5'),
        ('test_dataloader = dict(num_workers=-1)', r'test_dataloader\.num_workers is -1; .* 0'),
        ('train_cfg = dict(max_epochs=0)', r'train_cfg\.max_epochs is 0'),
        ("optim_wrapper = dict(optimizer=dict(lr='fast'))", r"optim_wrapper\.optimizer\.lr is 'fast'"),
        ('optim_wrapper = dict(optimizer=dict(lr=-0.1))', r'optim_wrapper\.optimizer\.lr is -0\.1'),
    ],
)
def test_what_is_wrong_is_named(text, words, tmp_path):
    with pytest.raises(InputError, match=words):
        read_config_file(written(tmp_path, text))


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'train_cfg.max_epochs.x': 3}, '--cfg-options.*max_epochs='),
        ({'custom_hooks.7.x': 3}, '--cfg-options.*Index 7'),
        ({'train_cgf.max_epochs': 3}, '--cfg-options.*train_cgf.*train_cfg'),
        ({'colour': 3}, '--cfg-options.*colour'),
    ],
)
def test_changes_without_a_place_are_refused(change, words, tmp_path):
    path = written(tmp_path, 'train_cfg = dict(max_epochs=2)\ncustom_hooks = [dict(x=1)]')
    with pytest.raises(InputError, match=words):
        read_config_file(path, change)


def test_settings_of_ones_own_may_be_added(tmp_path):
    path = written(tmp_path, 'train_cfg = dict(max_epochs=2)')
    assert read_config_file(path, {'compile': True, 'optim_wrapper.clip_grad.max_norm': 35}).compile is True


def test_a_missing_file_is_named():
    with pytest.raises(InputError, match=r'nowhere\.py'):
        read_config_file('nowhere.py')


def test_the_loaders_of_a_packaged_base_give_batches(tmp_path, monkeypatch):
    monkeypatch.setenv('IMAGENET', str(write_images(tmp_path / 'images')))
    path = written(tmp_path, "_base_ = 'auglocal_mm::bp/resnet34_bp_1xb256-200e_in1k.py'")
    loader = read_config_file(path, {'val_dataloader.num_workers': 0, 'val_dataloader.persistent_workers': False})
    with DefaultScope.overwrite_default_scope('auglocal_mm'):
        batch = next(iter(Runner.build_dataloader(loader.val_dataloader)))
    assert batch['inputs'].shape[1:] == (3, 224, 224)
