import json

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.weights.backbone_record import read_backbone_record


def test_what_other_programs_add_stays(tmp_path):
    given = {'method': 'DGLHead', 'accuracy': {'accuracy/top1': 71.25}, 'epoch': 3, 'licence': 'MIT'}
    (tmp_path / 'backbone.json').write_text(json.dumps(given))
    record = read_backbone_record(tmp_path / 'backbone.json')
    assert record.model_dump(exclude_unset=True) == given
    assert record.sha256 is None


@pytest.mark.parametrize(
    ('key', 'value', 'said'),
    [
        ('accuracy', {'accuracy/top1': 101}, r'accuracy\.accuracy/top1.*\b101\b'),
        ('epoch', '3', "epoch.*'3'"),
        ('num_classes', -1, 'num_classes.*-1'),
        ('seed', '0', "seed.*'0'"),
        ('training_seconds', -1.5, r'training_seconds.*-1\.5'),
        ('peak_memory', {'resident': 'much'}, r'peak_memory\.resident.*much'),
        ('partition', {'num_local_modules': 2, 'split_points': [1]}, r'partition\.split_points\.0.*\b1\b'),
        ('datasets', [{'type': 'ImageFolder'}], r'datasets\.0\.num_images.*missing'),
        ('method', 5, r'method.*\b5\b'),
        ('method', None, 'method.*None'),
    ],
)
def test_a_value_out_of_place_is_named(tmp_path, key, value, said):
    (tmp_path / 'backbone.json').write_text(json.dumps({key: value}))
    with pytest.raises(InputError, match=rf'backbone\.json.*{said}'):
        read_backbone_record(tmp_path / 'backbone.json')
