import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.files.scalar_log import read_lines


def test_a_line_has_its_iteration_and_its_values(tmp_path):
    (tmp_path / 'scalars.json').write_text(
        '{"loss": 1.5, "epoch": 1, "iter": 7, "step": 7}\n{"coco/bbox_mAP": 0.25, "step": 1}\n'
    )
    training, validation = read_lines(tmp_path / 'scalars.json')
    assert (training.step, training.epoch, training.iter, training.scalars) == (7, 1, 7, {'loss': 1.5})
    assert (validation.step, validation.epoch, validation.scalars) == (1, None, {'coco/bbox_mAP': 0.25})


def test_a_line_of_training_without_its_iteration_is_none_of_a_validation(tmp_path):
    lines = ('{"data_time": 0.1, "epoch": 1, "iter": null, "step": 3}', '{"data_time": 0.1, "step": 1}')
    (tmp_path / 'scalars.json').write_text('\n'.join(lines))
    assert [line.is_validation for line in read_lines(tmp_path / 'scalars.json')] == [False, True]


def test_a_half_written_last_line_is_skipped_and_a_whole_one_is_not(tmp_path):
    (tmp_path / 'scalars.json').write_text('{"step": 1}\n{"step": 2}')
    assert [line.step for line in read_lines(tmp_path / 'scalars.json')] == [1, 2]
    (tmp_path / 'scalars.json').write_text('{"step": 1}\n{"step": ')
    assert [line.step for line in read_lines(tmp_path / 'scalars.json')] == [1]


@pytest.mark.parametrize(
    ('line', 'words'), [('{"step": ', ['JSON']), ('{"step": -2}', ['step', '-2']), ('{}', ['step', 'missing'])]
)
def test_a_damaged_line_before_the_end_is_named(tmp_path, line, words):
    (tmp_path / 'scalars.json').write_text(f'{{"step": 1}}\n{line}\n{{"step": 3}}\n')
    with pytest.raises(InputError) as caught:
        read_lines(tmp_path / 'scalars.json')
    assert all(word in str(caught.value) for word in ('line 2 ', f'{tmp_path}/scalars.json', *words))
