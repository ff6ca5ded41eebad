import threading
from pathlib import Path

import pytest
from mmengine.config import Config

from auglocal_mm.errors import InputError
from auglocal_mm.launch import work_dir
from auglocal_mm.launch.work_dir import Stage, check_work_dir, keep_users_config, own_work_dir
from auglocal_mm.models import ImageClassifier


def test_a_stage_is_task_backbone_and_method(tiny_config):
    assert str(Stage.of(tiny_config('bp'))) == 'ImageClassifier on mmdet.ResNet-18 by BP'
    assert str(Stage.of(tiny_config())) == 'ImageClassifier on mmdet.ResNet-18 by AugLocalHead'


def test_an_empty_or_missing_folder_and_an_earlier_run_of_the_stage_are_free(tiny_config, tmp_path):
    check_work_dir(str(tmp_path / 'missing'), tiny_config())
    tiny_config().dump(tmp_path / 'earlier.py')
    check_work_dir(str(tmp_path), tiny_config(**{'train_cfg.max_epochs': 9}))


@pytest.mark.parametrize(
    'overrides', [{'model.backbone.depth': 34}, {'model.type': 'MaskRCNN'}, {'model.auxiliary_heads': None}]
)
def test_another_stage_is_refused_and_named(tiny_config, tmp_path, overrides):
    tiny_config().dump(tmp_path / 'earlier.py')
    config = tiny_config(**overrides)
    with pytest.raises(InputError, match=r'earlier\.py.*ImageClassifier on mmdet.ResNet-18.*--work-dir.*delete'):
        check_work_dir(str(tmp_path), config)


SCRIPT = """import sys
open({marker!r}, 'w').write('run')
sys.exit(0)
"""


def test_scripts_and_damaged_or_inheriting_configs_in_a_work_dir_are_no_stage_and_are_not_run(tiny_config, tmp_path):
    marker = tmp_path / 'marker'
    for name, text in {
        'script.py': SCRIPT.format(marker=str(marker)),
        'computes.py': f"model = dict(type=open({str(marker)!r}, 'w'))\n",
        'empty.py': '',
        'half.py': 'model = dict(',
        'inherits.py': "_base_ = 'script.py'\nmodel = dict(type='MaskRCNN')\n",
        'backbone.json': '{"method": "BP"}',
        'odd.yaml': 'model: !!python/object/apply:os.system ["touch marker"]',
    }.items():
        (tmp_path / name).write_text(text)
    check_work_dir(str(tmp_path), tiny_config())
    assert not marker.exists()


@pytest.mark.parametrize('suffix', ['py', 'json', 'yaml'])
def test_the_record_of_another_stage_is_refused_in_every_format(tiny_config, tmp_path, suffix):
    tiny_config('bp').dump(tmp_path / f'earlier.{suffix}')
    with pytest.raises(InputError, match=rf'earlier\.{suffix}.*ImageClassifier on mmdet.ResNet-18 by BP'):
        check_work_dir(str(tmp_path), tiny_config())


def test_a_class_is_the_same_by_name_scope_or_import(tmp_path):
    def stage(classifier, resnet):
        return Stage.of({'model': {'type': classifier, 'backbone': {'type': resnet, 'depth': 18}}})

    by_name = stage('ImageClassifier', 'mmdet.ResNet')
    imported = stage('auglocal_mm.models.classifiers.image_classifier.ImageClassifier', 'mmdet.models.ResNet')
    assert imported.is_same(by_name)
    assert str(imported) == 'ImageClassifier on ResNet-18 by BP'
    assert stage(ImageClassifier, 'ResNet').is_same(by_name)
    assert not stage('ImageClassifier', 'mmdet.ResNeXt').is_same(by_name)
    assert str(Stage.of({'model': {'type': 3, 'backbone': [], 'auxiliary_heads': 5}})) == '3 on None by BP'


def named(config, path: Path, work_dir: Path) -> Config:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        config.dump(path)
    return Config({**config.to_dict(), 'work_dir': str(work_dir)}, filename=path)


def record_name(config) -> str:
    return Path(keep_users_config(config).filename).name


def test_a_record_is_written_over_an_earlier_record_alone(tiny_config, tmp_path):
    config = named(tiny_config('bp'), tmp_path / 'configs' / 'x.py', tmp_path)
    assert keep_users_config(config) is config
    record = tmp_path / 'x.py'
    tiny_config('bp', **{'train_cfg.max_epochs': 7}).dump(record)
    assert record_name(config) == 'x.py'
    for kept in (
        '# mine\n' + record.read_text(),
        "_base_ = 'a.py'\n",
        "model = dict(type='A')\nlr = 1\na = 2\n",
        'x = (',
    ):
        record.write_text(kept)
        assert record_name(config) == 'x_1.py'
    assert keep_users_config(config).to_dict() == config.to_dict()
    (tmp_path / 'x_1.py').write_text('# another one of mine\n')
    assert record_name(config) == 'x_2.py'


@pytest.mark.parametrize('suffix', ['py', 'json', 'yaml'])
def test_the_config_that_a_run_was_started_with_is_kept(tiny_config, tmp_path, suffix):
    config = named(tiny_config('bp'), tmp_path / f'x.{suffix}', tmp_path)
    assert record_name(config) == f'x_1.{suffix}'
    keep_users_config(config).dump(tmp_path / f'x_1.{suffix}')
    assert record_name(config) == f'x_1.{suffix}'


def test_two_trainings_do_not_share_a_work_dir(tmp_path, monkeypatch):
    monkeypatch.setattr(work_dir, 'PATIENCE', 0)
    with (
        own_work_dir(str(tmp_path)),
        pytest.raises(InputError, match=f'another training.*{tmp_path}'),
        own_work_dir(str(tmp_path)),
    ):
        pass
    with own_work_dir(str(tmp_path)):
        pass


def test_a_training_waits_for_one_that_ends_and_clears_up_after_it(tmp_path):
    left = tmp_path / '.epoch_3.pth.abcdefgh.tmp'
    left.write_bytes(b'half')
    earlier = own_work_dir(str(tmp_path))
    earlier.__enter__()
    threading.Timer(0.5, earlier.__exit__, (None, None, None)).start()
    with own_work_dir(str(tmp_path)):
        assert not left.exists()


def test_a_work_dir_that_cannot_be_made_is_told():
    with pytest.raises(InputError, match=r'work_dir.*/proc/x'), own_work_dir('/proc/x'):
        pass


@pytest.mark.parametrize('result', [None, 'epoch_1.pth', '1/1.json', '1/vis_data/scalars.json'])
def test_a_failed_start_leaves_no_record_unless_there_are_results(tiny_config, tmp_path, result):
    record = tmp_path / 'x.py'
    with pytest.raises(KeyboardInterrupt), own_work_dir(str(tmp_path), 'configs/x.py'):
        tiny_config('bp').dump(record)
        if result:
            path = tmp_path / result
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        raise KeyboardInterrupt
    assert record.exists() == bool(result)


def test_a_completed_training_keeps_its_record(tiny_config, tmp_path):
    with own_work_dir(str(tmp_path), 'x.py'):
        tiny_config('bp').dump(tmp_path / 'x.py')
    assert (tmp_path / 'x.py').exists()
