"""A work_dir that holds more than one training wrote: the user's config, scripts, another training, another name."""

import importlib.util
import re
from pathlib import Path

import pytest
from tests_support import REPOSITORY

from auglocal_mm.files.run_record import read_record

specification = importlib.util.spec_from_file_location('train', REPOSITORY / 'tools/train.py')
train = importlib.util.module_from_spec(specification)
specification.loader.exec_module(train)

MINE = """# my settings
_base_ = '../tiny.py'
train_cfg = dict(max_epochs=1)
"""
PURE = """from mmengine.config import read_base

from auglocal_mm.models import ImageClassifier

with read_base():
    from .tiny import *

model.update(dict(type=ImageClassifier))
train_cfg.update(dict(max_epochs=1))
"""


@pytest.fixture
def tiny(tiny_config, tmp_path) -> Path:
    config = tiny_config('bp')
    config.pop('experiment_name'), config.pop('work_dir')
    config.dump(tmp_path / 'tiny.py')
    return tmp_path / 'tiny.py'


def run(config: Path, work_dir: Path, *options: str, name: str) -> None:
    train.main(
        [str(config), '--work-dir', str(work_dir), *options, '--cfg-options', f'experiment_name={work_dir}{name}']
    )


def resumed(work_dir: Path) -> list[str]:
    """What was resumed, in the order of the starts."""
    text = ''.join(path.read_text() for path in sorted(work_dir.glob('*/*.log'), key=lambda path: path.stat().st_mtime))
    return re.findall(r'resumed epoch: (\d+)', text)


def test_the_config_that_the_user_keeps_in_the_work_dir_and_scripts_beside_it_stay(tiny, tmp_path):
    work_dir, marker = tmp_path / 'x', tmp_path / 'marker'
    work_dir.mkdir()
    (work_dir / 'x.py').write_text(MINE)
    script = f"open({str(marker)!r}, 'w')\nimport sys\nsys.exit(0)\n"
    (work_dir / 'plot.py').write_text(script)
    run(work_dir / 'x.py', work_dir, name='1')
    (work_dir / 'x.py').write_text(MINE.replace('max_epochs=1', 'max_epochs=2'))
    run(work_dir / 'x.py', work_dir, '--resume', name='2')
    assert resumed(work_dir) == ['1']
    assert (work_dir / 'epoch_2.pth').is_file()
    assert (work_dir / 'x.py').read_text() == MINE.replace('max_epochs=1', 'max_epochs=2')
    assert (work_dir / 'plot.py').read_text() == script
    assert sorted(path.name for path in work_dir.glob('*.py')) == ['plot.py', 'x.py', 'x_1.py']
    assert read_record(work_dir / 'x_1.py')['train_cfg']['max_epochs'] == 2
    assert not marker.exists()


def test_a_pure_python_config_trains_goes_on_and_begins_anew_in_its_work_dir(tiny, tmp_path):
    (tmp_path / 'pure.py').write_text(PURE)
    run(tmp_path / 'pure.py', tmp_path / 'w', name='1')
    (tmp_path / 'pure.py').write_text(PURE.replace('max_epochs=1', 'max_epochs=2'))
    run(tmp_path / 'pure.py', tmp_path / 'w', '--resume', name='2')
    run(tmp_path / 'pure.py', tmp_path / 'w', name='3')
    assert resumed(tmp_path / 'w') == ['1']
    assert [path.name for path in (tmp_path / 'w').glob('*.py')] == ['pure.py']
    assert read_record(tmp_path / 'w' / 'pure.py')['model']['type'].endswith('.ImageClassifier')


def test_a_renamed_work_dir_goes_on_from_its_own_checkpoint_not_from_that_of_its_old_name(tiny, tmp_path):
    run(tiny, tmp_path / 'a', name='1')
    (tmp_path / 'a').rename(tmp_path / 'b')
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a' / 'epoch_2.pth').write_bytes(b'of another training')
    for number, way in enumerate(('--resume', 'resume=True')):
        changes = ['--cfg-options', f'experiment_name={tmp_path}{number}', 'train_cfg.max_epochs=3']
        options = [way, *changes] if way.startswith('--') else [*changes, way]
        train.main([str(tiny), '--work-dir', str(tmp_path / 'b'), *options])
        assert (tmp_path / 'b' / 'epoch_3.pth').is_file()
        (tmp_path / 'b' / 'epoch_3.pth').unlink()
        (tmp_path / 'b' / 'last_checkpoint').write_text(str(tmp_path / 'a' / 'epoch_2.pth'))
    assert resumed(tmp_path / 'b') == ['2', '2']


@pytest.mark.parametrize(('options', 'epochs'), [((), set()), (('--resume', '{}/epoch_1.pth'), {'1'})])
def test_a_start_that_fails_is_not_repeated_from_the_checkpoint_of_an_earlier_training(
    tiny, tmp_path, monkeypatch, options, epochs
):
    work_dir = tmp_path / 'w'
    run(tiny, work_dir, name='1')
    options = [option.format(work_dir) for option in options]
    monkeypatch.setenv('TORCHELASTIC_MAX_RESTARTS', '1')
    with pytest.raises(SystemExit):
        train.main(
            [str(tiny), '--work-dir', str(work_dir), *options, '--cfg-options', 'train_dataloader.batch_size=99']
        )
    monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', '1')
    run(tiny, work_dir, *options, name='2')
    assert set(resumed(work_dir)) == epochs
