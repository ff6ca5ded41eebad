import argparse

import pytest
import torch

from auglocal_mm.errors import InputError
from auglocal_mm.launch.launch import add_common_arguments, command_line_tool, is_first_process, load_config


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_common_arguments(parser)
    return parser.parse_args(arguments)


def test_the_command_line_wins_over_the_config(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '0')
    path = str(tmp_path / 'some_name.py')
    tiny_config().dump(path)
    config = load_config(parse(path, '--work-dir', 'here', '--cfg-options', 'train_cfg.max_epochs=7'))
    assert (config.work_dir, config.train_cfg.max_epochs, config.launcher) == ('here', 7, 'none')


@pytest.mark.parametrize('gpu', [False, True])
def test_batches_are_pinned_for_a_gpu_alone(tiny_config, tmp_path, monkeypatch, gpu):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    path = tmp_path / 'tiny.py'
    tiny_config(**{'val_dataloader.pin_memory': False}).dump(path)
    config = load_config(parse(str(path)))
    assert config.train_dataloader.get('pin_memory', False) == gpu
    assert config.val_dataloader.pin_memory is False, 'the config counts more'
    assert config.model.data_preprocessor.get('non_blocking', False) == gpu


@pytest.mark.parametrize(
    ('given', 'expected'), [({'num_workers': 2}, 600), ({'num_workers': 2, 'timeout': 9}, 9), ({}, 0)]
)
def test_a_batch_is_not_waited_for_forever(tiny_config, tmp_path, monkeypatch, given, expected):
    monkeypatch.setenv('LOCAL_RANK', '0')
    path = tmp_path / 'tiny.py'
    tiny_config(**{f'val_dataloader.{key}': value for key, value in given.items()}).dump(path)
    config = load_config(parse(str(path)))
    assert config.val_dataloader.get('timeout', 0) == expected
    assert 'timeout' not in config.train_dataloader, 'which has no workers'


@pytest.mark.parametrize(
    ('launcher', 'variable'),
    [('pytorch', 'RANK'), ('slurm', 'SLURM_PROCID'), ('mpi', 'OMPI_COMM_WORLD_RANK')],
)
def test_the_first_process_is_known_before_they_meet(monkeypatch, launcher, variable):
    for number in ('0', '1'):
        monkeypatch.setenv(variable, number)
        assert is_first_process(launcher) == (number == '0')
        assert is_first_process('none'), 'a single process, whatever started it'


@pytest.mark.parametrize(
    ('loop', 'by_epoch'),
    [
        ('by_epoch=True, max_epochs=1', None),
        ('by_epoch=False, max_iters=1', False),
        ("type='IterBasedTrainLoop'", False),
    ],
)
def test_validations_are_logged_by_what_training_counts(tmp_path, loop, by_epoch):
    path = tmp_path / 'config.py'
    path.write_text(f"train_cfg = dict({loop})\ndefault_hooks = dict(logger=dict(type='LoggerHook'))\n")
    assert load_config(parse(str(path))).default_hooks.logger.get('log_metric_by_epoch') is by_epoch


def test_the_work_dir_is_named_after_the_config(tmp_path, monkeypatch):
    monkeypatch.setenv('LOCAL_RANK', '0')
    path = tmp_path / 'some_name.py'
    path.write_text('model = dict()')
    assert load_config(parse(str(path))).work_dir == 'work_dirs/some_name'


def test_a_missing_config_is_named():
    with pytest.raises(InputError, match=r'nowhere\.py'):
        load_config(parse('nowhere.py'))


@pytest.mark.parametrize(
    ('error', 'word'),
    [
        (InputError('the sentence'), 'the sentence'),
        (
            InputError('Caught InputError in worker 0.\nTraceback\nauglocal_mm.errors.InputError: the sentence'),
            'the sentence',
        ),
        (
            FileNotFoundError(2, 'No such file', 'x.json'),
            'x.json',
        ),
        (
            FileExistsError(17, 'File exists', 'README.md'),
            'README.md',
        ),
        (FileNotFoundError('said already'), 'said already'),
        (
            PermissionError(13, 'Permission denied', 'x.json'),
            'x.json',
        ),
    ],
)
def test_bad_input_ends_with_one_sentence(error, word, capsys):
    @command_line_tool
    def main(arguments=None):
        raise error

    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith('error: ') and 'Traceback' not in said
    assert word in said


def test_a_process_that_another_left_alone_says_so(monkeypatch, capsys):
    @command_line_tool
    def main(arguments=None):
        raise RuntimeError('[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:36437')

    with pytest.raises(RuntimeError):
        main()
    monkeypatch.setattr(torch.distributed, 'is_initialized', lambda: True)
    with pytest.raises(SystemExit):
        main()
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith('error: ') and 'another process' in said


def test_a_defect_keeps_its_traceback():
    @command_line_tool
    def main(arguments=None):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main()


def test_the_process_group_is_taken_down_with_the_work_done(tmp_path):
    @command_line_tool
    def main(arguments=None):
        store = torch.distributed.FileStore(str(tmp_path / 'store'), 1)
        torch.distributed.init_process_group('gloo', store=store, rank=0, world_size=1)

    main()
    assert not torch.distributed.is_initialized()
