import math
from typing import Any

import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tests_coco import CLASSES, SIZES, detect, measure, read, scenes, write_scenes

from auglocal_mm.errors import InputError
from auglocal_mm.evaluation import CocoMetric, coco_metric


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


def judged(path, found, kind: str, **params: Any) -> list[float]:
    """What pycocotools itself says of detections that were written to ``found``."""
    annotations = COCO(path)
    detections = COCO()
    detections.dataset = {**annotations.dataset, 'annotations': annotations.loadRes(found).dataset['annotations']}
    for each in detections.dataset['annotations']:
        if kind == 'segm':
            each['area'] = coco_mask.area(each['segmentation'])
    detections.createIndex()
    evaluation = COCOeval(annotations, detections, kind)
    vars(evaluation.params).update(maxDets=[100, 300, 1000], **params)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats.tolist()


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('kind', ['bbox', 'segm'])
def test_figures_are_those_of_pycocotools_unrounded_and_of_each_class(tmp_path, kind, reverse):
    content = scenes()
    if reverse:
        content['categories'].reverse()
    path = write_scenes(tmp_path, content)
    metric = detect(path, outfile_prefix=str(tmp_path / 'found'), classwise=False)
    figures = metric.evaluate(len(SIZES))
    found = str(tmp_path / f'found.{kind}.json')
    expected = judged(path, found, kind, catIds=[1, 2])
    items = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
    assert [figures[f'coco/{kind}_{item}'] for item in items] == expected[:6]
    assert expected[0] != round(expected[0], 3), 'or rounding would not be seen'
    assert metric.class_ap[kind] == {
        name: judged(path, found, kind, catIds=[category])[0] for name, category in (('cat', 1), ('dog', 2))
    }
    assert metric.class_ap[kind]['cat'] != metric.class_ap[kind]['dog']


def test_thresholds_may_be_a_list_as_in_a_config(tmp_path):
    path = write_scenes(tmp_path, scenes())
    figures, all_figures = measure(path, iou_thrs=[0.5]), measure(path)
    assert figures['coco/bbox_mAP'] == figures['coco/bbox_mAP_50'] == all_figures['coco/bbox_mAP_50']
    assert figures['coco/bbox_mAP_75'] == -1


def test_the_lines_that_mmdetection_logs(tmp_path, monkeypatch):
    logged = []
    monkeypatch.setattr(coco_metric, 'print_log', lambda text, **_: logged.append(text))
    metric = detect(write_scenes(tmp_path, scenes()), classwise=True)
    figures = metric.evaluate(len(SIZES))
    assert f'dog: {metric.class_ap["segm"]["dog"]:.3f}' in logged[2]
    items = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
    values = ' '.join(f'{figures[f"coco/segm_{item}"]:.3f}' for item in items)
    assert logged[3] == f'segm_mAP_copypaste: {values}'


def test_a_class_without_instances_has_no_ap(tmp_path):
    content = scenes()
    content['annotations'] = [each for each in content['annotations'] if each['category_id'] == 2]
    metric = detect(write_scenes(tmp_path, content))
    figures = metric.evaluate(len(SIZES))
    for kind in ('bbox', 'segm'):
        assert math.isnan(metric.class_ap[kind]['cat'])
        assert metric.class_ap[kind]['dog'] == figures[f'coco/{kind}_mAP']


def test_annotations_of_the_data_set_give_the_figures_of_the_file(tmp_path):
    path = write_scenes(tmp_path, scenes())
    metric, expected = detect(path), detect(path)
    by_file = expected.evaluate(len(SIZES))
    bare = CocoMetric(metric=['bbox', 'segm'])
    bare.dataset_meta = metric.dataset_meta
    dataset = read(path, test_mode=True)
    objects = {info['img_id']: info['instances'] for info in map(dataset.get_data_info, range(len(dataset)))}
    for truth, found in metric.results:
        bare.results.append(({**truth, 'anns': objects[truth['img_id']]}, found))
    figures = bare.evaluate(len(SIZES))
    assert figures['coco/bbox_mAP'] == pytest.approx(by_file['coco/bbox_mAP'])
    assert bare.class_ap['bbox'] == pytest.approx(expected.class_ap['bbox'])


def test_a_detector_without_masks_cannot_be_measured_by_them(tmp_path):
    metric = detect(write_scenes(tmp_path, scenes()))
    for _, found in metric.results:
        del found['masks']
    with pytest.raises(InputError, match=r"metric=\['bbox', 'segm'\].*metric='bbox'"):
        metric.evaluate(len(SIZES))


def test_nothing_found_gives_no_figures(tmp_path):
    metric = detect(write_scenes(tmp_path, scenes()))
    metric.class_ap = {'bbox': {'cat': 0.5}}
    for _, found in metric.results:
        found.update({name: values[:0] for name, values in found.items() if name != 'img_id'})
    assert metric.evaluate(len(SIZES)) == {}
    assert metric.class_ap == {}


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
    with pytest.raises(InputError, match=r'judged\.json.*\b0\b.*\b2\b'):
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
        (other_size, r'1\.png.*80 x 60'),
        (one_more, r'\b1\b.*4\.png'),
        (one_less, r'\b3\b.*3\.png'),
        (other_names, r'\b1\b.*1\.png'),
        (other_class, r"\b1\b.*\b2\b.*'cat'"),
        (no_objects, r'\b0\b.*\b2\b'),
    ],
)
def test_annotations_of_other_data_are_refused(change, words, tmp_path):
    content = scenes()
    change(content)
    with pytest.raises(InputError, match=rf'judged\.json.*{words}'):
        check(tmp_path, content)


def test_annotations_of_more_images_are_refused(tmp_path):
    part = read(write_scenes(tmp_path, scenes()), test_mode=True, indices=2)
    with pytest.raises(InputError, match=r'judged\.json.*\b1\b.*3\.png'):
        check(tmp_path, scenes(), part)


def test_masks_must_be_there_where_they_are_measured(tmp_path):
    content = scenes()
    del content['annotations'][2]['segmentation']
    check(tmp_path, content, metric='bbox')
    with pytest.raises(InputError, match=r'annotations\[2\]\.segmentation.*missing'):
        check(tmp_path, content, metric=['bbox', 'segm'])
