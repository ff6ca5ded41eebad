import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.transfer.evaluation_record import Evaluations, read_evaluations, training_of, write_evaluations

TRAINING = {'id': 'a1', 'backbone': 'backbone.pth', 'pretraining': {'method': 'DGLHead', 'licence': 'MIT'}}


def test_what_is_written_is_read(tmp_path):
    assert read_evaluations(tmp_path) is None
    record = dict(
        training=TRAINING, epoch=3, iteration=30, checkpoint=None, settings={}, metrics={'coco/bbox_mAP': 0.25}
    )
    written = Evaluations.model_validate({'validation': record})
    write_evaluations(tmp_path, written)
    found = read_evaluations(tmp_path)
    assert found == written
    assert found.test is None
    assert found.validation.training.pretraining.model_dump(exclude_unset=True) == TRAINING['pretraining']


@pytest.mark.parametrize(('text', 'key'), [('{"validaton": null}', 'validaton'), ('{"test": {}}', 'test.training')])
def test_another_record_is_refused(tmp_path, text, key):
    (tmp_path / 'evaluation.json').write_text(text)
    with pytest.raises(InputError) as caught:
        read_evaluations(tmp_path)
    assert str(tmp_path / 'evaluation.json') in str(caught.value)
    assert f' {key} ' in str(caught.value)


def test_a_checkpoint_says_of_which_training_it_is():
    assert training_of({'training': TRAINING}, 'a.pth').id == 'a1'
    assert training_of({}, 'a.pth') is None
    with pytest.raises(InputError, match=r'meta\.training.*a\.pth.*\bid\b.*\b5\b'):
        training_of({'training': {**TRAINING, 'id': 5}}, 'a.pth')
