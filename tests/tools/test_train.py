"""The command line as a user types it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from tests_support import REPOSITORY, assert_error, tool, write
from tests_training import stages

KILLER = """
import os, signal
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from auglocal_mm.engine.hooks.checkpoint_hook import AtomicBackend

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

@HOOKS.register_module()
class KillHook(Hook):
    def __init__(self, where):
        self.where = where
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.where == 'epoch' and runner.iter == 4:  # the middle of the second epoch of three
            kill()
    def before_save_checkpoint(self, runner, checkpoint):
        if self.where == 'checkpoint' and runner.epoch == 1:
            write = type(os.path)  # the bytes are half on the disk when the kill comes
            import pathlib
            def half(path, data):
                with open(path, 'wb') as file:
                    file.write(data[: len(data) // 2])
                    file.flush()
                kill()
            pathlib.Path.write_bytes = half
"""


def test_trains_tests_and_exports(tiny_config, tmp_path):
    config = write(tiny_config(), tmp_path / 'tiny.py')
    work_dir = str(tmp_path / 'run')
    options = ['--cfg-options', 'train_cfg.max_epochs=1', 'param_scheduler.by_epoch=False', 'param_scheduler.T_max=4']
    done = tool('tools/train.py', config, '--work-dir', work_dir, '--amp', '--auto-scale-lr', *options)
    assert done.returncode == 0, done.stderr[-2000:]
    (log,) = Path(work_dir).glob('*/*.log')
    assert 'in param_scheduler lasts until iteration 4, but training ends after iteration 3' in log.read_text()
    checkpoint = f'{work_dir}/epoch_1.pth'
    done = tool('tools/test.py', config, checkpoint, '--work-dir', str(tmp_path / 'test'))
    assert done.returncode == 0, done.stderr[-2000:]
    assert 'accuracy/top1' in done.stdout + done.stderr
    out = tmp_path / 'exported.pth'
    done = tool('tools/model_converters/export_backbone.py', checkpoint, str(out))
    assert done.returncode == 0, done.stderr[-2000:]
    by_hook, by_tool = (torch.load(path, weights_only=True) for path in (f'{work_dir}/backbone.pth', out))
    assert all(torch.equal(by_hook[name], by_tool[name]) for name in by_hook)
    assert by_hook.keys() == by_tool.keys()


@pytest.mark.parametrize('where', ['epoch', 'checkpoint'])
def test_a_killed_run_continues_as_if_nothing_had_happened(tiny_config, tmp_path, where):
    (tmp_path / 'killer.py').write_text(KILLER)
    states = []
    for name in ('whole', 'killed'):
        config = tiny_config(work_dir=str(tmp_path / name), **{'train_cfg.max_epochs': 3})
        config.experiment_name = name
        if name == 'killed':
            killing = config.copy()
            killing.custom_imports = dict(imports=['auglocal_mm', 'killer'], allow_failed_imports=False)
            killing.custom_hooks = [*config.custom_hooks, dict(type='mmengine.KillHook', where=where)]
            (tmp_path / 'first').mkdir()
            path = write(killing, tmp_path / 'first' / 'run.py')
            done = tool('tools/train.py', path, '--work-dir', config.work_dir, PYTHONPATH=str(tmp_path))
            assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
            assert not (tmp_path / name / 'epoch_2.pth').exists()
            assert len(list((tmp_path / name).glob('.*.tmp'))) == (where == 'checkpoint')
        (tmp_path / f'config_{name}').mkdir()
        path = write(config, tmp_path / f'config_{name}' / 'run.py')
        done = tool('tools/train.py', path, '--work-dir', config.work_dir, '--resume')
        assert done.returncode == 0, done.stderr[-2000:]
        assert (f'--resume: {config.work_dir} ' in done.stdout) == (name == 'whole')  # it has no checkpoint
        states.append(torch.load(f'{config.work_dir}/epoch_3.pth', weights_only=False))
    assert not list((tmp_path / 'killed').glob('.*.tmp'))
    whole, killed = states
    assert all(torch.equal(whole['state_dict'][key], killed['state_dict'][key]) for key in whole['state_dict'])
    optimizers = [[entry for module in s['optimizer'].values() for entry in module['state'].values()] for s in states]
    momentum = [[entry['momentum_buffer'] for entry in entries] for entries in optimizers]
    assert len(momentum[0]) > 50 and all(map(torch.equal, *momentum))


def test_check_prints_the_partition_and_trains_nothing(tiny_config, tmp_path):
    config = tiny_config(layer_parallel=2, **{'train_cfg.max_epochs': 1})
    done = tool('tools/train.py', write(config, tmp_path / 'tiny.py'), '--check', '--work-dir', str(tmp_path / 'none'))
    assert done.returncode == 0, done.stderr[-2000:]
    assert '7 local modules' in done.stdout
    assert 'layer3.1' in done.stdout
    assert 'Isolation holds on a batch of 8' in done.stdout
    assert 'lasts until epoch 2' in done.stdout
    assert 'process 1: stem' in done.stdout and '2 processes can be at most' in done.stdout
    assert 'init_weights' not in done.stdout + done.stderr  # which MMEngine says of every weight
    assert not (tmp_path / 'none').exists()


def test_a_missing_config_is_named():
    assert_error(tool('tools/train.py', 'configs/nothing.py'), 'configs/nothing.py')


def test_a_missing_data_folder_is_named(tiny_config, tmp_path):
    config = tiny_config(**{'train_dataloader.dataset.data_root': str(tmp_path / 'nowhere')})
    assert_error(tool('tools/train.py', write(config, tmp_path / 'tiny.py')), 'nowhere')


@pytest.mark.parametrize('workers', [0, 1])
def test_a_truncated_image_is_named(tiny_config, image_folder, tmp_path, workers):
    victim = image_folder / 'train' / 'dog' / '3.png'
    victim.write_bytes(victim.read_bytes()[:200])
    config = write(tiny_config(**{'train_dataloader.num_workers': workers}), tmp_path / 'tiny.py')
    assert_error(tool('tools/train.py', config), str(victim), 'skip_corrupt')
    done = tool('tools/train.py', config, '--cfg-options', 'train_dataloader.dataset.skip_corrupt=True')
    assert done.returncode == 0, done.stderr[-2000:]
    assert '1 corrupt training images were skipped' in done.stdout + done.stderr


def test_a_wrong_number_of_classes_is_refused(tiny_config, tmp_path):
    config = write(tiny_config(**{'model.head.num_classes': 7}), tmp_path / 'tiny.py')
    assert_error(tool('tools/train.py', config), '3 classes', 'num_classes', '7')


@pytest.mark.parametrize(
    ('override', 'words'),
    [
        ('model.partition.num_local_modules=99', ('num_local_modules is 99', '1 (BP) to 7')),
        ('model.partition.split_points=[5,2]', ('ascending',)),
        ('model.partition.split_points=[layer9.9]', ('layer9.9', 'unknown')),
        ('model.auxiliary_heads.depth=1', ('depth is 1',)),
        ('model.auxiliary_heads.dept=3', ('model.auxiliary_heads', "'dept'", 'depth')),
        ('model.auxiliary_heads.type=AugLocalHed', ('model.auxiliary_heads.type', "'AugLocalHed'", 'AugLocalHead ')),
        ('model.backbone.depth=35', ('model.backbone.depth is 35', '34')),
    ],
)
def test_impossible_partitions_are_refused(tiny_config, tmp_path, override, words):
    config = write(tiny_config(), tmp_path / 'tiny.py')
    assert_error(tool('tools/train.py', config, '--cfg-options', override), *words)


def test_check_refuses_another_number_of_classes(tiny_config, tmp_path):
    config = write(tiny_config(**{'model.head.num_classes': 7}), tmp_path / 'tiny.py')
    assert_error(tool('tools/train.py', config, '--check'), '3 classes', 'num_classes', '7')


def test_weights_alone_and_the_checkpoint_of_another_method_are_not_resumed_from(tiny_config, tmp_path):
    bp = write(tiny_config('bp', **{'train_cfg.max_epochs': 1}), tmp_path / 'bp.py')
    assert tool('tools/train.py', bp, '--work-dir', str(tmp_path / 'bp')).returncode == 0
    config = write(tiny_config(), tmp_path / 'tiny.py')
    for name, words in (('backbone.pth', 'load_from'), ('epoch_1.pth', 'auxiliary_heads')):
        assert_error(tool('tools/train.py', config, '--resume', str(tmp_path / 'bp' / name)), name, words)


@pytest.mark.parametrize('script', ['tools/dist_train.sh CONFIG two', 'tools/dist_test.sh CONFIG CHECKPOINT 0'])
def test_a_wrong_number_of_processes_is_refused(script):
    done = subprocess.run(['bash', *script.split()], cwd=REPOSITORY, capture_output=True, text=True)
    assert_error(done, 'number of GPUs', script.split()[-1])


def test_a_work_dir_of_another_stage_is_refused(tiny_config, tmp_path):
    work_dir = tmp_path / 'work_dir'
    work_dir.mkdir()
    write(tiny_config('bp'), work_dir / 'bp.py')
    config = write(tiny_config(), tmp_path / 'tiny.py')
    for resume in ([], ['--resume']):
        assert_error(tool('tools/train.py', config, '--work-dir', str(work_dir), *resume), 'another stage', 'BP')
    assert sorted(path.name for path in work_dir.iterdir()) == ['bp.py']


def test_a_start_that_failed_does_not_refuse_the_next_one(tiny_config, tmp_path):
    missing = {'train_dataloader.dataset': dict(type='ImageFolder', data_root=str(tmp_path / 'missing'), split='train')}
    config = write(tiny_config(**{'train_cfg.max_epochs': 1}), tmp_path / 'tiny.py')
    arguments = ('--work-dir', str(tmp_path / 'work_dir'))
    failing = write(tiny_config('bp', **missing), tmp_path / 'missing.py')
    assert_error(tool('tools/train.py', failing, *arguments), 'missing/train')
    untrained = write(tiny_config(**{'custom_hooks': [], 'model.backbone.depth': 34}), tmp_path / 'untrained.py')
    assert_error(tool('tools/train.py', untrained, *arguments), 'nothing trains it')
    assert tool('tools/train.py', config, *arguments).returncode == 0


@pytest.mark.parametrize('kind', ['truncated', 'hostile', 'missing'])
def test_a_bad_checkpoint_is_refused(tiny_config, tmp_path, kind):
    checkpoint = tmp_path / 'bad.pth'
    if kind == 'truncated':
        torch.save({'state_dict': {'w': torch.zeros(1000)}}, checkpoint)
        checkpoint.write_bytes(checkpoint.read_bytes()[:1500])
    elif kind == 'hostile':
        torch.save({'state_dict': Hostile(str(tmp_path / 'owned'))}, checkpoint)
    config = write(tiny_config(), tmp_path / 'tiny.py')
    assert_error(tool('tools/train.py', config, '--resume', str(checkpoint)), 'bad.pth')
    assert_error(tool('tools/test.py', config, str(checkpoint)), 'bad.pth')
    assert not (tmp_path / 'owned').exists()


class Hostile:
    """Runs a command when it is unpickled carelessly."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


def test_a_checkpoint_of_another_depth_is_refused(tiny_config, tmp_path):
    done = tool(
        'tools/train.py', write(tiny_config('bp', **stages(4)), tmp_path / 'a.py'), '--work-dir', str(tmp_path / 'a')
    )
    assert done.returncode == 0, done.stderr[-2000:]
    config = write(tiny_config('bp', **stages(4), **{'model.backbone.depth': 34}), tmp_path / 'b.py')
    assert_error(tool('tools/test.py', config, str(tmp_path / 'a' / 'epoch_2.pth')), 'ResNet-18', 'ResNet-34')


def test_no_space_for_a_checkpoint_is_told_and_leaves_what_was_there(tiny_config, tmp_path):
    work_dir = tmp_path / 'run'
    config = write(tiny_config(), tmp_path / 'tiny.py')
    arguments = ('tools/train.py', config, '--work-dir', str(work_dir))
    assert tool(*arguments, '--cfg-options', 'train_cfg.max_epochs=1').returncode == 0
    kept = {path.name: path.read_bytes() for path in work_dir.glob('*.pth')}
    assert kept.keys() == {'epoch_1.pth', 'backbone.pth'}
    done = tool(*arguments, '--resume', limit_file_size=100_000)  # the checkpoint has more
    assert_error(done, 'cannot write', 'epoch_2.pth', 'free some space')
    assert {path.name: path.read_bytes() for path in work_dir.glob('*.pth')} == kept
    assert not list(work_dir.glob('.*.tmp'))
    assert tool(*arguments, '--resume').returncode == 0
    assert (work_dir / 'epoch_2.pth').is_file()


def test_a_crop_that_is_larger_than_the_images_names_one(tiny_config, image_folder, tmp_path):
    transforms = [dict(type='RandomCrop', size=64)]
    config = write(tiny_config('bp', **{'train_dataloader.dataset.transforms': transforms}), tmp_path / 'tiny.py')
    assert_error(tool('tools/train.py', config), 'transforms', str(image_folder), '(64, 64)', '(32, 32)')


@pytest.mark.parametrize('out', ['a.json', 'a.pth'])
def test_an_export_overwrites_neither_its_source_nor_itself(tmp_path, out):
    torch.save({'state_dict': {'backbone.conv1.weight': torch.zeros(1)}}, tmp_path / 'a.pth')
    before = (tmp_path / 'a.pth').read_bytes()
    done = tool('tools/model_converters/export_backbone.py', str(tmp_path / 'a.pth'), str(tmp_path / out))
    assert_error(done, out, 'overwrite')
    assert [path.name for path in tmp_path.iterdir()] == ['a.pth']
    assert (tmp_path / 'a.pth').read_bytes() == before
