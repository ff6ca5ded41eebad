import numpy as np
import pytest
from tests_coco import SIZES, detect, scenes, write_scenes

from auglocal_mm.evaluation.matches import AREAS
from auglocal_mm.evaluation.weighted_statistics import weighted_statistics


def matches(tmp_path, content=None, **settings):
    metric = detect(write_scenes(tmp_path, content or scenes()), **settings)
    metric.evaluate(len(SIZES))
    return metric.matches


def test_matches_describe_what_was_evaluated(tmp_path):
    found = matches(tmp_path)
    assert list(found) == ['bbox', 'segm']
    for each in found.values():
        assert each.image_ids.tolist() == [1, 2, 3]
        assert (each.category_ids.tolist(), each.category_names.tolist()) == ([1, 2], ['cat', 'dog'])
        assert each.max_detections.tolist() == [100, 300, 1000]
        assert each.counts.tolist() == [[1, 1, 1], [2, 2, 1]]
        assert each.matched.shape == each.ignored.shape == (len(AREAS), 10, 8)
        assert each.positives[:, 0].tolist() == [[1, 1, 1], [1, 2, 1]], 'the crowd is not to be detected'
        assert each.positives[:, 0].tolist() == each.positives[:, 1:].sum(axis=1).tolist()
        np.testing.assert_array_equal(
            each.scores,
            [
                np.float32(0.9 - 0.1 * rank - 0.01 * image)
                for rank, image in [(0, 1), (0, 2), (0, 3), (1, 1), (2, 1), (1, 2), (2, 2), (1, 3)]
            ],
        )


def test_boxes_are_those_of_the_detections(tmp_path):
    """In the order of the scores: by category, image and rank. Those on the second image are two pixels too far right."""
    found = matches(tmp_path)
    cats = [[2, 3, 20, 30], [7, 5, 50, 60], [40, 8, 24, 50]]
    dogs = [[30, 10, 40, 40], [1, 40, 25, 30], [12, 30, 20, 24], [37, 50, 20, 25], [4, 4, 30, 16]]
    assert found['bbox'].boxes.tolist() == cats + dogs
    assert found['segm'].boxes is None


def test_weights_of_one_give_the_metrics(tmp_path):
    metric = detect(write_scenes(tmp_path, scenes()))
    metrics = metric.evaluate(len(SIZES))
    for kind, each in metric.matches.items():
        values = weighted_statistics(each, np.ones((1, 3), np.int32))[0]
        names = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
        expected = [metrics[f'coco/{kind}_{name}'] for name in names]
        assert values[:6] == pytest.approx([np.nan if value == -1 else value for value in expected], nan_ok=True)
        assert dict(zip(each.category_names, values[12:], strict=True)) == pytest.approx(metric.class_ap[kind])


def digests(tmp_path, change=lambda content: None):
    content = scenes()
    change(content)
    return [each.annotations for each in matches(tmp_path, content).values()]


def move_box(content):
    content['annotations'][0]['bbox'][0] += 1


def shrink_mask(content):
    content['annotations'][0]['segmentation'][0][0] += 4


def rename_image(content):
    content['images'][0]['file_name'] = 'x.png'


def uncrowd(content):
    content['annotations'][-1]['iscrowd'] = 0


def drop_object(content):
    del content['annotations'][0]


@pytest.mark.parametrize('change', [move_box, rename_image, uncrowd, drop_object])
def test_other_annotations_are_told(tmp_path, change):
    assert not set(digests(tmp_path)) & set(digests(tmp_path, change))


def test_masks_count_where_they_are_evaluated(tmp_path):
    (boxes, masks), changed = digests(tmp_path), digests(tmp_path, shrink_mask)
    assert boxes == changed[0]
    assert masks != changed[1]


def irrelevant(content):
    content.update(info=dict(year=2017), licenses=[])
    content['categories'].reverse()
    for number, each in enumerate(content['annotations']):
        each['id'] = 900 + number
    content['annotations'].append(dict(content['annotations'][0], id=1, category_id=7))


def test_what_does_not_change_the_evaluation_does_not_count(tmp_path):
    assert digests(tmp_path) == digests(tmp_path, irrelevant)


def test_a_second_evaluation_has_the_same_annotations(tmp_path):
    """pycocotools replaces the masks of the annotations by encoded ones."""
    metric = detect(write_scenes(tmp_path, scenes()))
    results, found = list(metric.results), []
    for _ in range(2):
        metric.results = list(results)
        metric.evaluate(len(SIZES))
        found.append([each.annotations for each in metric.matches.values()])
    assert found[0] == found[1]


def test_nothing_found_leaves_no_matches(tmp_path):
    metric = detect(write_scenes(tmp_path, scenes()))
    metric.matches = {'bbox': None}
    for _, found in metric.results:
        found.update({name: values[:0] for name, values in found.items() if name != 'img_id'})
    metric.evaluate(len(SIZES))
    assert metric.matches == {}
