import pytest

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
        ('model = dict(', r'some\.py, or a config that it inherits from, cannot be read \(SyntaxError'),
        ('model = dict(depth=dept)', 'NameError'),
        ("_base_ = './some.py'", 'inherits from itself'),
        ('model = 5', 'model is 5; expected a dict'),
        ("optim_wrapper = dict(optimizer=['SGD'])", r"optimizer is \['SGD'\]; expected a dict"),
        ('custom_hooks = 5', 'custom_hooks is 5; expected a list of dicts'),
        ('load_from = 5', 'load_from is 5; expected the path'),
        ('randomness = dict(seed=-1)', r'randomness\.seed is -1; expected a whole number of at least 0'),
        ('randomness = dict(seed=2**32)', r'randomness\.seed is 4294967296; expected less'),
        ('train_cfg = dict(val_interval=0)', r'val_interval is 0; expected a whole number of at least 1'),
        ('train_dataloader = dict(batch_size=True)', 'batch_size is True'),
        ('val_dataloader = dict(batch_sise=8)', r"val_dataloader has no key 'batch_sise'; did you mean batch_size or"),
        (
            'val_dataloader = dict(persistent_workers=True)',
            'val_dataloader.persistent_workers is True, but num_workers is 0',
        ),
        ('val_dataloader = dict(x=8)', r"val_dataloader has no key 'x'; expected some of dataset, batch_size"),
        ('optim_wrapper = dict(clip_grad=dict(max_nrm=1))', r"clip_grad is \{'max_nrm': 1\}; expected a dict such as"),
        ('optim_wrapper = dict(clip_grad=dict(max_norm=-1))', r'clip_grad\.max_norm is -1; expected a number above 0'),
        ("_base_ = './nowhere.py'", r'nowhere\.py, which does not exist; correct its _base_'),
        (
            'train_dataloader = dict(batch_size=0)',
            r'train_dataloader\.batch_size is 0; expected a whole number of at least 1',
        ),
        ('val_dataloader = dict(batch_size=2.5)', r'val_dataloader\.batch_size is 2\.5'),
        ('test_dataloader = dict(num_workers=-1)', r'test_dataloader\.num_workers is -1; expected .* at least 0'),
        ('train_cfg = dict(max_epochs=0)', r'train_cfg\.max_epochs is 0'),
        ("optim_wrapper = dict(optimizer=dict(lr='fast'))", r"optimizer\.lr is 'fast'; expected a number"),
        ('optim_wrapper = dict(optimizer=dict(lr=-0.1))', r'optimizer\.lr is -0\.1'),
    ],
)
def test_what_is_wrong_is_named(text, words, tmp_path):
    with pytest.raises(InputError, match=words):
        read_config_file(written(tmp_path, text))


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ({'train_cfg.max_epochs.x': 3}, 'has no place in the config: max_epochs='),
        ({'custom_hooks.7.x': 3}, 'has no place in the config: Index 7 exceeds'),
        ({'train_cgf.max_epochs': 3}, 'sets train_cgf, which has no effect: did you mean train_cfg'),
        ({'colour': 3}, 'sets colour, which has no effect: it is not a setting'),
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
    with pytest.raises(InputError, match=r'there is no config file nowhere\.py'):
        read_config_file('nowhere.py')
