import io
from dataclasses import fields, replace

import numpy as np
import pytest
from tests_matches import evaluated, random_scene, statistics

from auglocal_mm.evaluation.matches import Matches, collect_matches
from auglocal_mm.evaluation.matches_file import from_bytes, to_bytes


def test_what_is_written_is_read():
    content, found = random_scene(0)
    content['categories'][0]['name'] = 'caf\u00e9'
    found[0]['score'] = 0.1 + 1e-15
    written = {}
    for kind in ('bbox', 'segm'):
        evaluation = evaluated(content, found, kind)
        statistics(evaluation)
        written[kind] = collect_matches(evaluation)
    data = to_bytes(written)
    read = from_bytes(data)
    assert list(read) == ['bbox', 'segm']
    for kind, each in written.items():
        for field in fields(Matches):
            value, expected = getattr(read[kind], field.name), getattr(each, field.name)
            assert type(value) is type(expected)
            np.testing.assert_array_equal(value, expected)
            assert getattr(value, 'dtype', None) == getattr(expected, 'dtype', None)
    stored = np.load(io.BytesIO(data))['bbox.matched']
    assert stored.nbytes == 4 * 10 * -(-len(found) // 8), 'a boolean takes one bit'


def test_files_of_earlier_versions_have_no_boxes():
    content, found = random_scene(0)
    evaluation = evaluated(content, found, 'bbox')
    statistics(evaluation)
    matches = collect_matches(evaluation)
    assert matches.boxes is not None
    read = from_bytes(to_bytes({'bbox': replace(matches, boxes=None)}))['bbox']
    assert read.boxes is None
    assert read.scores.tolist() == matches.scores.tolist()


def test_images_can_be_named_by_text():
    content, found = random_scene(0)
    evaluation = evaluated(content, found, 'bbox')
    statistics(evaluation)
    matches = collect_matches(evaluation)
    named = Matches(**{**vars(matches), 'image_ids': np.array([f'img_{each}' for each in matches.image_ids])})
    assert from_bytes(to_bytes({'bbox': named}))['bbox'].image_ids.tolist() == named.image_ids.tolist()


def arrays_of(data):
    with np.load(io.BytesIO(data)) as arrays:
        return dict(arrays)


def data_of(arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


@pytest.fixture
def written():
    content, found = random_scene(0)
    evaluation = evaluated(content, found, 'bbox')
    statistics(evaluation)
    return to_bytes({'bbox': collect_matches(evaluation)})


@pytest.mark.parametrize(
    'damage', [lambda data: data[:-1], lambda data: b'', lambda data: b'text', lambda data: b'PK\x03\x04']
)
def test_what_is_not_an_archive_is_refused(written, damage):
    with pytest.raises(ValueError):
        from_bytes(damage(written))


@pytest.mark.parametrize(
    ('name', 'change'),
    [
        ('scores', lambda values: values[:-1]),
        ('scores', lambda values: values.astype(str)),
        ('counts', lambda values: values + 1),
        ('counts', lambda values: -values),
        ('counts', lambda values: values[0]),
        ('matched', lambda values: values[..., :-1]),
        ('ignored', lambda values: values[:2]),
        ('positives', lambda values: values[:, :, :-1]),
        ('image_ids', lambda values: values[:-1]),
        ('category_names', lambda values: values.astype(object)),
        ('boxes', lambda values: values[:, :3]),
        ('max_detections', lambda values: values.sum()),
    ],
)
def test_arrays_that_do_not_fit_each_other_are_refused(written, name, change):
    arrays = arrays_of(written)
    arrays[f'bbox.{name}'] = change(arrays[f'bbox.{name}'])
    with pytest.raises(ValueError, match=r'shape|counts|pickle'):
        from_bytes(data_of(arrays))


@pytest.mark.parametrize('name', [each.name for each in fields(Matches) if each.name != 'boxes'])
def test_missing_arrays_are_refused(written, name):
    arrays = arrays_of(written)
    del arrays[f'bbox.{name}']
    with pytest.raises(ValueError, match=name):
        from_bytes(data_of(arrays))
