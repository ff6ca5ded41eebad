import json

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.transfer.evaluation_record import Evaluations, read_evaluations, training_of, write_evaluations

TRAINING = {'id': 'a1', 'backbone': 'backbone.pth', 'pretraining': {'method': 'DGLHead', 'licence': 'MIT'}}


def test_what_is_written_is_read(tmp_path):
    assert read_evaluations(tmp_path) is None
    record = dict(
        training=TRAINING, epoch=3, iteration=30, checkpoint=None, settings={}, metrics={'coco/bbox_mAP': 0.25}
    )
    class_ap = {'bbox': {'cat': 0.25, 'toaster': None}}
    written = Evaluations.model_validate({'validation': {**record, 'class_ap': class_ap}})
    write_evaluations(tmp_path, written)
    found = read_evaluations(tmp_path)
    assert found == written
    assert found.test is None
    assert found.validation.class_ap == class_ap
    assert found.validation.training.pretraining.model_dump(exclude_unset=True) == TRAINING['pretraining']


def test_a_record_from_before_classes_were_recorded_is_read(tmp_path):
    record = dict(training=None, epoch=3, iteration=30, checkpoint=None, settings={}, metrics={})
    (tmp_path / 'evaluation.json').write_text(json.dumps({'test': record}))
    assert read_evaluations(tmp_path).test.class_ap == {}


@pytest.mark.parametrize(
    ('text', 'said'), [('{"validaton": null}', 'validaton.*None'), ('{"test": {}}', r'test\.training.*missing')]
)
def test_another_record_is_refused(tmp_path, text, said):
    (tmp_path / 'evaluation.json').write_text(text)
    with pytest.raises(InputError, match=rf'{tmp_path}/evaluation\.json.*{said}'):
        read_evaluations(tmp_path)


def test_a_checkpoint_says_of_which_training_it_is():
    assert training_of({'training': TRAINING}, 'a.pth').id == 'a1'
    assert training_of({}, 'a.pth') is None
    with pytest.raises(InputError, match=r'meta\.training.*a\.pth.*\bid\b.*\b5\b'):
        training_of({'training': {**TRAINING, 'id': 5}}, 'a.pth')
