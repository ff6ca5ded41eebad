import re
from pathlib import Path

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.transfer.run_config import NOT_SET, RunConfig, read_run_config, settings_that_differ


def dump(folder: Path, text: str, seed: int = 0, checkpoint: str = 'a.pth') -> RunConfig:
    folder.mkdir(parents=True)
    (folder / 'config.py').write_text(text.format(checkpoint=checkpoint, seed=seed, work_dir=folder))
    return read_run_config(folder, folder / 'no timestamp')


def test_what_identifies_a_run_does_not_differ(tmp_path: Path, config_text: str) -> None:
    text = config_text.replace("launcher = 'none'", "launcher = 'slurm'").replace('resume = False', 'resume = True')
    text = text.replace('load_from = None', "load_from = 'epoch_3.pth'")
    configs = {'a': dump(tmp_path / 'a', config_text), 'b': dump(tmp_path / 'b', text, 7, 'b.pth')}
    assert settings_that_differ(configs) == {}


def test_another_initialisation_does_not_differ(tmp_path: Path, config_text: str) -> None:
    text = config_text.replace(
        "init_cfg=dict(checkpoint='{checkpoint}', prefix='backbone.', type='Pretrained')", 'init_cfg=None'
    )
    configs = {'a': dump(tmp_path / 'a', config_text), 'b': dump(tmp_path / 'b', text)}
    assert settings_that_differ(configs) == {}


def test_tuples_and_lists_are_the_same(tmp_path: Path, config_text: str) -> None:
    configs = {
        'a': dump(tmp_path / 'a', config_text),
        'b': dump(tmp_path / 'b', config_text.replace('(1333, 800)', '[1333, 800]')),
    }
    assert settings_that_differ(configs) == {}


def test_differences_by_dotted_key(tmp_path: Path, config_text: str) -> None:
    text = config_text.replace('lr=0.02', 'lr=0.01').replace('(1333, 800)', '(640, 400)')
    text = text.replace('depth=34', 'depth=34, frozen_stages=1') + 'work_dirs = 3\n'
    configs = {
        'a': dump(tmp_path / 'a', config_text),
        'b': dump(tmp_path / 'b', text),
        'c': dump(tmp_path / 'c', config_text),
    }
    assert settings_that_differ(configs) == {
        'model.backbone.frozen_stages': {'a': NOT_SET, 'b': 1, 'c': NOT_SET},
        'optim_wrapper.optimizer.lr': {'a': 0.02, 'b': 0.01, 'c': 0.02},
        'train_pipeline.1.scale': {'a': [1333, 800], 'b': [640, 400], 'c': [1333, 800]},
        'work_dirs': {'a': NOT_SET, 'b': 3, 'c': NOT_SET},
    }


def test_a_model_that_is_wrapped_for_a_test_is_the_same(tmp_path: Path, config_text: str) -> None:
    plain = dump(tmp_path / 'a', config_text)
    augmented = RunConfig(
        plain.path, {**plain.values, 'model': {'module': plain.values['model'], 'type': 'DetTTAModel'}}
    )
    assert settings_that_differ({'a': plain, 'b': augmented}) == {'tta_model.type': {'a': NOT_SET, 'b': 'DetTTAModel'}}


def test_none_is_not_the_same_as_not_set(tmp_path: Path, config_text: str) -> None:
    configs = {'a': dump(tmp_path / 'a', config_text), 'b': dump(tmp_path / 'b', config_text + 'val_cfg = None\n')}
    assert settings_that_differ(configs) == {'val_cfg': {'a': NOT_SET, 'b': None}}


def test_custom_modules_need_not_be_installed(tmp_path: Path, config_text: str) -> None:
    text = config_text + "custom_imports = dict(allow_failed_imports=False, imports=['no_such_module'])\n"
    assert dump(tmp_path / 'a', text).values is not None


def test_a_config_that_is_not_a_record_is_refused_and_not_run(tmp_path: Path, config_text: str) -> None:
    marker = tmp_path / 'marker'
    for name, text in {
        'broken': config_text + 'this is = not Python\n',
        'script': f"open({str(marker)!r}, 'w')\nimport sys\nsys.exit(0)\n",
        'inherits': "_base_ = 'base.py'\n",
        'empty': '',
    }.items():
        with pytest.raises(InputError, match=rf'/{name}/config\.py\b'):
            dump(tmp_path / name, text)
    assert not marker.exists()


def test_scripts_beside_the_dumped_config_are_skipped(tmp_path: Path, config_text: str) -> None:
    config = dump(tmp_path / 'a', config_text)
    (tmp_path / 'a' / 'newer.py').write_text('raise SystemExit(0)\n')
    assert read_run_config(tmp_path / 'a', tmp_path / 'a' / 'no timestamp').path == config.path


def test_config_of_the_evaluating_run_wins_over_the_newest(tmp_path: Path, config_text: str) -> None:
    dump(tmp_path / 'a', config_text)
    vis_data = tmp_path / 'a' / '20250101_000000' / 'vis_data'
    vis_data.mkdir(parents=True)
    (vis_data / 'config.py').write_text('depth = 34\n')
    config = read_run_config(tmp_path / 'a', tmp_path / 'a' / '20250101_000000')
    assert (config.path, config.values) == (vis_data / 'config.py', {'depth': 34})


def test_without_a_config_nothing_can_be_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=re.escape(str(tmp_path))):
        read_run_config(tmp_path, tmp_path / 'timestamp')


def test_get_by_dotted_key(tmp_path: Path, config_text: str) -> None:
    config = dump(tmp_path / 'a', config_text)
    assert config.get('model.backbone.init_cfg.checkpoint') == 'a.pth'
    assert config.get('model.backbone.depth.no.such') is None
