"""Work_dirs as trainings leave them: finished, stopped, resumed, begun anew, by iterations."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tests_pretrainings import MODULES, curves, pretraining
from tests_training import tiny_training, write_images

from auglocal_mm.analysis.training_log import TrainingLog, read_curves
from auglocal_mm.errors import InputError
from auglocal_mm.pretraining_report.pretraining_run import read_pretraining_run
from auglocal_mm.weights.backbone_record import BackboneRecord, read_backbone_record

LAYERS = ['stem', 'layer1.0', 'layer1.1', 'layer2.0', 'layer2.1', 'layer3.0', 'layer3.1']


class StopHook(Hook):
    """Ends a training after an iteration, as Ctrl-C does."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if runner.iter + 1 == self.iteration:
            raise KeyboardInterrupt


def train(config, start: str, stop: int | None = None) -> None:
    """Trains, with the log in the folder ``start``."""
    runner = Runner.from_cfg(config)
    if stop is not None:
        runner.register_hook(StopHook(stop), 'LOWEST')
    with suppress(KeyboardInterrupt):
        runner.train()
    Path(runner.log_dir).rename(Path(config.work_dir, start))


@pytest.fixture(scope='module')
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp('images'))


@pytest.fixture(scope='module')
def finished(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work_dir of a training of two epochs of three iterations."""
    config = tiny_training('auglocal', images, work_dir=str(tmp_path_factory.mktemp('finished')))
    train(config, '20250101_000000')
    return Path(config.work_dir)


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / 'copied'))


@pytest.fixture
def config_in(images: Path, tmp_path: Path) -> Callable:
    return lambda name, **settings: tiny_training('auglocal', images, work_dir=str(tmp_path / name), **settings)


def test_a_finished_training(finished):
    run = read_pretraining_run('AugLocal', finished)
    assert run.finished and run.record == read_backbone_record(finished / 'backbone.json')
    assert (run.epoch_length, run.unit, run.iterations, run.last_logged) == (3, 'epoch', 6, 6)
    assert run.modules == LAYERS
    assert {**run.log.validation, **run.log.training} == read_curves(finished)
    assert [step for step, _ in run.log.validation['accuracy/top1']] == [1, 2]
    assert [x for x, _ in run.by_epoch(run.log.training['local/stem/loss'])] == [step / 3 for step in range(1, 7)]
    assert run.log.validation['accuracy/top1'][-1][1] == run.record.accuracy['accuracy/top1']


def test_a_stopped_training_has_what_its_last_checkpoint_knows(finished, config_in):
    config = config_in('stopped')
    train(config, '20250101_000000', stop=5)
    run, whole = (read_pretraining_run('AugLocal', folder) for folder in (Path(config.work_dir), finished))
    assert not run.finished and not run.has_other_record and run.record.sha256 is None
    assert (run.record.epoch, run.record.iteration, run.iterations, run.epoch_length) == (1, 3, 5, 3)
    for fact in ('method', 'partition', 'auxiliary_heads', 'datasets', 'seed', 'versions', 'device', 'num_processes'):
        assert getattr(run.record, fact) == getattr(whole.record, fact), fact
    assert run.record.training_seconds > 0 and run.record.peak_memory


def test_a_training_in_its_first_epoch_has_no_record_yet(config_in):
    config = config_in('begun')
    train(config, '20250101_000000', stop=2)
    run = read_pretraining_run('AugLocal', Path(config.work_dir))
    assert (run.finished, run.record, run.epoch_length, run.unit) == (False, BackboneRecord(), None, 'iteration')
    assert run.iterations == 2 and run.modules == LAYERS


@pytest.mark.parametrize('logged', [True, False])
def test_a_finished_training_that_is_resumed_again_stays_finished(logged, copied, config_in):
    """Its backbone is exported again, with the settings of the resume, which logs no more than a validation."""
    before = read_pretraining_run('AugLocal', copied)
    train(config_in('copied', resume=True, load_from=str(copied / 'epoch_2.pth')), '20250102_000000')
    if not logged:
        (copied / '20250102_000000/vis_data/scalars.json').unlink()
    after = read_pretraining_run('AugLocal', copied)
    assert after.changed == (['experiment_name'] if logged else [])
    assert after.finished and after.record.config_hash != before.record.config_hash
    assert after.log.training == before.log.training and after.epoch_length == 3


@pytest.mark.parametrize('epochs', [2, 4])
def test_the_record_of_an_earlier_training_in_the_folder_is_not_taken(epochs, copied, config_in):
    (log,) = copied.glob('*/vis_data/scalars.json')
    log.unlink()  # or the two trainings would be refused
    settings = {'train_cfg.max_epochs': epochs} if epochs != 2 else {}
    train(config_in('copied', **settings), '20250102_000000', stop=3)
    run = read_pretraining_run('AugLocal', copied)
    assert (run.finished, run.record) == (False, BackboneRecord())


@pytest.mark.parametrize('change', [{'config_hash': '0' * 64}, {'iteration': 7}, {'iteration': 3}])
def test_a_record_that_does_not_match_config_and_log_is_not_taken(change, copied):
    record = json.loads((copied / 'backbone.json').read_text())
    (copied / 'backbone.json').write_text(json.dumps(record | change))
    run = read_pretraining_run('AugLocal', copied)
    assert not run.finished and run.has_other_record and run.record.sha256 is None


def test_a_record_of_other_weights_is_refused_unless_the_weights_are_elsewhere(copied):
    record = json.loads((copied / 'backbone.json').read_text())
    (copied / 'backbone.json').write_text(json.dumps(record | {'sha256': '0' * 64}))
    with pytest.raises(InputError, match=r'backbone\.pth.*backbone\.json'):
        read_pretraining_run('AugLocal', copied)
    (copied / 'backbone.pth').unlink()
    assert read_pretraining_run('AugLocal', copied).finished


@pytest.mark.parametrize('kept', [-30, 0])
def test_a_log_without_its_end_has_the_accuracy_of_the_backbone(kept, copied):
    """Its last line is of the last validation; without all validations there is still that of the backbone."""
    (log,) = copied.glob('*/vis_data/scalars.json')
    lines = log.read_text()
    log.write_text(lines[:kept] if kept else ''.join(line for line in lines.splitlines(True) if '"iter"' in line))
    run = read_pretraining_run('AugLocal', copied)
    assert run.log.validation['accuracy/top1'][-1] == (2, run.record.accuracy['accuracy/top1'])
    assert [step for step, _ in run.log.validation['accuracy/top1']] == ([1, 2] if kept else [2])


def test_an_older_record(copied):
    (copied / 'backbone.json').write_text('{"method": "AugLocalHead", "epoch": 2, "iteration": 6}')
    run = read_pretraining_run('AugLocal', copied)
    assert run.finished and run.record.partition is None and run.modules == LAYERS


def test_a_training_by_iterations(config_in):
    config = config_in(
        'iterations',
        **{
            'log_processor.by_epoch': False,
            'default_hooks.logger.log_metric_by_epoch': False,
            'default_hooks.checkpoint': dict(by_epoch=False, interval=2),
            'param_scheduler.by_epoch': False,
        },
    )
    config.train_cfg = dict(by_epoch=False, max_iters=4, val_interval=2)
    train(config, '20250101_000000')
    run = read_pretraining_run('AugLocal', Path(config.work_dir))
    assert run.finished and (run.unit, run.validation_unit, run.iterations) == ('iteration', 'iteration', 4)
    assert [step for step, _ in run.log.validation['accuracy/top1']] == [2, 4]


def test_modules_that_are_trained_in_turn_have_the_order_of_the_network():
    training = dict(reversed(curves().items()))
    run = pretraining(log=TrainingLog(training, {}, [Path('work_dir/1')]))
    assert run.modules == list(MODULES)


def test_a_detector_is_refused(copied):
    (config,) = copied.glob('*/vis_data/config.py')
    text = config.read_text().replace('ImageClassifier', 'mmdet.MaskRCNN')
    config.write_text(text.replace('ExportBackboneHook', 'mmdet.DetVisualizationHook'))
    with pytest.raises(InputError, match=rf'{copied.name} .*MaskRCNN.* pretraining'):
        read_pretraining_run('AugLocal', copied)


@pytest.mark.parametrize(
    ('name', 'content'), [('backbone.json', '{'), ('backbone.json', '{"a": 1}'), ('evaluation.json', '{')]
)
def test_a_damaged_record_is_named(name, content, copied):
    (copied / name).write_text(content)
    with pytest.raises(InputError, match=name):
        read_pretraining_run('AugLocal', copied)
