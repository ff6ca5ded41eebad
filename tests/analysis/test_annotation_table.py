"""The counts; ``test_annotation_check.py`` tests their table."""

from tests_coco import read, scenes, write_scenes

from auglocal_mm.analysis.annotation_table import Reading, read_annotations, read_dataset
from auglocal_mm.datasets.coco_annotations import CocoAnnotations


def test_crowds_are_not_objects_and_an_image_without_objects_is_empty():
    reading = Reading('training')
    for objects in ([('cat', False), ('cat', False), ('dog', True)], [('dog', True)], []):
        reading.add(iter(objects))
    assert (reading.images, reading.empty, reading.crowds, reading.objects) == (3, 1, 2, {'cat': 2})


def test_data_set_and_evaluator_count_alike_and_other_classes_do_not(tmp_path):
    content = scenes()
    content['annotations'][0]['category_id'] = 7
    path = write_scenes(tmp_path, content)
    taught, judged = read_dataset('a', read(path)), read_annotations('b', CocoAnnotations(path), ('dog', 'cat'))
    for reading in (taught, judged):
        assert (reading.images, reading.empty, reading.crowds) == (3, 0, 1)
        assert reading.objects == {'dog': 4, 'cat': 2}
