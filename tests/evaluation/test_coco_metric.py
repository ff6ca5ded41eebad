import pytest
from tests_coco import CLASSES, measure, read, scenes, write_scenes

from auglocal_mm.errors import InputError
from auglocal_mm.evaluation import CocoMetric


def check(tmp_path, content, dataset=None, **settings):
    metric = CocoMetric(ann_file=write_scenes(tmp_path, content, 'judged.json'), **settings)
    metric.check_dataset(dataset or read(write_scenes(tmp_path, scenes()), test_mode=True))


def test_objects_of_the_data_set_are_taken_where_no_file_is_named(tmp_path):
    metric = CocoMetric()
    metric.dataset_meta = {'classes': CLASSES}
    metric.check_dataset(read(write_scenes(tmp_path, scenes())))


def test_figures_of_a_class_are_those_of_its_name(tmp_path):
    content = scenes()
    content['annotations'] = [each for each in content['annotations'] if each['category_id'] == 2]
    figures = measure(write_scenes(tmp_path, content))
    assert figures['coco/dog_precision'] > 0.5
    assert figures['coco/cat_precision'] != figures['coco/cat_precision'], 'no cat is there'


def test_a_second_evaluation_is_as_the_first(tmp_path):
    content = scenes()
    content['categories'].reverse()
    path = write_scenes(tmp_path, content)
    assert measure(path) == measure(path)


def test_a_file_of_the_same_images_and_classes_is_taken(tmp_path):
    check(tmp_path, scenes(), metric='segm')


def test_a_file_of_images_to_test_is_taken_where_nothing_is_measured(tmp_path):
    content = scenes()
    del content['annotations']
    check(tmp_path, content, format_only=True, outfile_prefix='x')
    with pytest.raises(InputError, match=r'judged.json has no object'):
        check(tmp_path, content)


def other_size(content):
    content['images'][0]['width'] = 70


def one_more(content):
    content['images'].append(dict(id=4, file_name='4.png', width=60, height=60))


def one_less(content):
    content['images'].pop()
    content['annotations'] = [each for each in content['annotations'] if each['image_id'] != 3]


def other_names(content):
    for image in content['images']:
        image['file_name'] = f'train_{image["file_name"]}'


def other_class(content):
    content['categories'][0]['name'] = 'Cat'


def no_objects(content):
    content['annotations'] = []


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (other_size, r'1.png of 80 x 60'),
        (one_more, r'1 images .* 4.png'),
        (one_less, r'no image 3 that is 3.png'),
        (other_names, r'no image 1 that is 1.png'),
        (other_class, r"1 of the 2 classes .*'cat'"),
        (no_objects, r'no object'),
    ],
)
def test_annotations_of_other_data_are_refused(change, words, tmp_path):
    content = scenes()
    change(content)
    with pytest.raises(InputError, match=f'judged.json.*{words}'):
        check(tmp_path, content)


def test_part_of_the_images_cannot_be_judged_by_all(tmp_path):
    part = read(write_scenes(tmp_path, scenes()), test_mode=True, indices=2)
    with pytest.raises(InputError, match=r'has 1 images that are not in the data set, such as 3.png'):
        check(tmp_path, scenes(), part)


def test_masks_must_be_there_where_they_are_measured(tmp_path):
    content = scenes()
    del content['annotations'][2]['segmentation']
    check(tmp_path, content, metric='bbox')
    with pytest.raises(InputError, match=r'annotations\[2\].segmentation .* is missing'):
        check(tmp_path, content, metric=['bbox', 'segm'])
