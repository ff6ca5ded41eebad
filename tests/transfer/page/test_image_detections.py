from dataclasses import replace

import numpy as np
import pytest
from tests_coco import SIZES, detect, scenes, write_scenes
from tests_matches import evaluated, random_scene, statistics

from auglocal_mm.errors import InputError
from auglocal_mm.evaluation.matches import collect_matches
from auglocal_mm.transfer.page.image_detections import Detections, differ_most, random_images


@pytest.fixture
def matches(tmp_path):
    metric = detect(write_scenes(tmp_path, scenes()))
    metric.evaluate(len(SIZES))
    return metric.matches['bbox']


def test_right_and_wrong_detections_of_each_image(matches):
    """All are right but the one on the first image that is not an object, if all are shown."""
    found = Detections.of(replace(matches, positives=matches.positives + 1))
    assert found.found.tolist() == [2, 3, 2]
    assert found.mistakes.tolist() == [1, 0, 0]
    (wrong,) = np.flatnonzero(found.wrong)
    assert (found.images[wrong], found.categories[wrong]) == (0, 'dog')
    assert found.boxes[wrong].tolist() == [1, 40, 25, 30]
    assert found.scores[wrong] == pytest.approx(0.69)


def test_as_many_are_shown_as_there_are_objects(matches):
    """Seven of eight; equal scores are not torn apart."""
    found, ascending = Detections.of(matches), np.sort(matches.scores)
    assert len(found.scores) == len(matches.scores) - 1 == matches.positives[:, 0].sum() == 7
    assert found.least_score == ascending[1] == min(found.scores)
    tied = np.where(matches.scores == ascending[0], ascending[1], matches.scores)
    assert len(Detections.of(replace(matches, scores=tied)).scores) == 8


def test_other_scores_in_the_same_order_show_the_same(matches):
    assert (
        Detections.of(replace(matches, scores=matches.scores / 100)).found.tolist()
        == Detections.of(matches).found.tolist()
    )


def test_without_objects_none_are_shown(matches):
    assert not len(Detections.of(replace(matches, positives=0 * matches.positives)).scores)


def test_they_are_those_of_pycocotools():
    """Also in crowds, where a detection is neither right nor wrong."""
    content, detected = random_scene(1)
    evaluation = evaluated(content, detected, 'bbox')
    statistics(evaluation)
    found = Detections.of(collect_matches(evaluation))
    expected = np.zeros((3, len(content['images'])), int)
    for each in (each for each in evaluation.evalImgs if each and each['aRng'] == evaluation.params.areaRng[0]):
        shown = np.array(each['dtScores']) >= found.least_score
        matched, ignored = each['dtMatches'][0][shown] > 0, each['dtIgnore'][0][shown] > 0
        expected[:, each['image_id'] - 1] += [sum(matched & ~ignored), sum(~matched & ~ignored), sum(ignored)]
    assert found.found.tolist() == expected[0].tolist()
    assert found.mistakes.tolist() == expected[1].tolist()
    assert sum(~found.right & ~found.wrong) == sum(expected[2]) > 0


def test_other_thresholds_are_refused(matches):
    with pytest.raises(InputError, match=r'0\.6.*0\.5'):
        Detections.of(replace(matches, iou_thresholds=matches.iou_thresholds + 0.1))


def finding(counts):
    """A detector that finds so many objects in each image."""
    images = np.repeat(np.arange(len(counts)), counts)
    right = np.ones(len(images), bool)
    return Detections(len(counts), 0.0, images, images.astype(str), images, np.zeros((len(images), 4)), right, ~right)


def test_shares_of_objects_decide_and_then_their_number():
    objects = np.array([10, 1, 2, 0, 4, 3])
    detectors = [finding([9, 1, 0, 0, 4, 3]), finding([4, 0, 2, 0, 4, 3]), finding([5, 1, 1, 0, 4, 2])]
    assert differ_most(detectors, objects, 9) == [2, 1, 0, 5], 'of 2 and of 1 all or none; then 5 of 10 and 1 of 3'
    assert differ_most(detectors, objects, 2) == [2, 1]
    assert differ_most(detectors[:1] * 2, objects, 9) == []


def test_the_seed_draws():
    assert random_images(4, 6, 0) == [0, 1, 2, 3]
    first, again, other = (random_images(1000, 6, seed) for seed in (0, 0, 1))
    assert first == again != other
    assert len({*first}) == 6 and first == sorted(first)
