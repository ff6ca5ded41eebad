import pytest

from auglocal_mm.engine.config_file import read_config_file
from auglocal_mm.errors import InputError


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
        ('model = dict(', 'is no Python'),
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


def test_a_missing_file_is_named():
    with pytest.raises(InputError, match=r'there is no config file nowhere\.py'):
        read_config_file('nowhere.py')
