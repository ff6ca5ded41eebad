import io
from dataclasses import fields, replace

import numpy as np
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
