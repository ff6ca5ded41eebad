import threading

import pytest

from auglocal_mm.engine import work_dir
from auglocal_mm.engine.work_dir import Stage, check_work_dir, own_work_dir
from auglocal_mm.errors import InputError


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
    with pytest.raises(InputError, match=r'belongs to another stage \(earlier\.py: ImageClassifier on mmdet.ResNet-18'):
        check_work_dir(str(tmp_path), config)


def test_a_config_that_cannot_be_read_is_named_and_an_empty_one_is_no_stage(tiny_config, tmp_path):
    (tmp_path / 'empty.py').write_text('')
    check_work_dir(str(tmp_path), tiny_config())
    (tmp_path / 'half.py').write_text('model = dict(')
    with pytest.raises(InputError, match=r'half\.py, left by an earlier run, cannot be read'):
        check_work_dir(str(tmp_path), tiny_config())


def test_two_trainings_do_not_share_a_work_dir(tmp_path, monkeypatch):
    monkeypatch.setattr(work_dir, 'PATIENCE', 0)
    with (
        own_work_dir(str(tmp_path)),
        pytest.raises(InputError, match='another training is running in'),
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
    with pytest.raises(InputError, match='the work_dir /proc/x cannot be made'), own_work_dir('/proc/x'):
        pass
