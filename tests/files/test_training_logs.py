import json
from pathlib import Path

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.files.training_logs import newest_training

LOCAL = {'local/stem/loss': 1.0, 'step': 30}


def start(work_dir: Path, time: str, lines: list[dict], resume: bool = False) -> Path:
    folder = work_dir / time / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'config.py').write_text(f'resume = {resume}\nload_from = None\n')
    (folder / 'scalars.json').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    return folder / 'scalars.json'


def training(epoch: int) -> dict:
    return {'loss': 1.0, 'epoch': epoch, 'iter': 10 * epoch, 'step': 10 * epoch}


def validation(epoch: int) -> dict:
    return {'accuracy/top1': 50.0, 'data_time': 0.1, 'step': epoch}


def read(work_dir: Path) -> dict:
    return newest_training(work_dir, lambda line: line.is_validation)


def test_a_start_and_its_resumes_are_one_training(tmp_path):
    """Also where the first line is that of local modules, which has no epoch."""
    first = start(tmp_path, '1', [training(1), validation(1), training(2), validation(2)])
    second = start(tmp_path, '2', [LOCAL, training(3)], resume=True)
    assert list(read(tmp_path)) == [first, second]
    assert [line.step for line in read(tmp_path)[second]] == [30, 30]


def test_an_earlier_start_without_validations_is_left_out(tmp_path):
    start(tmp_path, '1', [training(1)])
    second = start(tmp_path, '2', [training(1)], resume=True)  # there was no checkpoint
    assert list(read(tmp_path)) == [second]


def test_two_trainings_are_refused_if_the_earlier_one_was_validated(tmp_path):
    start(tmp_path, '1', [training(1), validation(1)])
    start(tmp_path, '2', [training(1)])
    with pytest.raises(InputError, match=rf'{tmp_path.name}.* 2 trainings.* 1 and 2,'):
        read(tmp_path)


def test_no_log(tmp_path):
    assert read(tmp_path) == {}
