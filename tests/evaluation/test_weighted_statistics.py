import numpy as np
import pytest
from tests_matches import evaluated, random_scene, statistics

from auglocal_mm.evaluation.average_precision import class_ap
from auglocal_mm.evaluation.matches import collect_matches
from auglocal_mm.evaluation.weighted_statistics import weighted_statistics

LIMITS = [[1, 10, 100], [1, 2, 4], [100, 300, 1000], [1, 3, 100]]


def weighted(content, found, kind, weights, **params):
    evaluation = evaluated(content, found, kind)
    statistics(evaluation, **params)
    return weighted_statistics(collect_matches(evaluation), np.array(weights, np.int32))


@pytest.mark.parametrize('limits', LIMITS, ids=str)
@pytest.mark.parametrize('kind', ['bbox', 'segm'])
def test_statistics_are_those_of_pycocotools_on_copied_images(kind, limits):
    """With crowds, equal scores, images without objects, and categories that a resample leaves without objects."""
    seed = LIMITS.index(limits)
    content, found = random_scene(seed)
    images = len(content['images'])
    drawn = np.random.default_rng(seed).multinomial(images, [1 / images] * images, size=3)
    resamples = [[1] * images, *drawn.tolist(), [0, 5, 1] + [0] * (images - 3)]
    values = weighted(content, found, kind, resamples, maxDets=limits)
    for resample, value in zip(resamples, values, strict=True):
        literal = evaluated(content, found, kind, resample)
        np.testing.assert_allclose(value[:12], statistics(literal, maxDets=limits), rtol=0, atol=1e-12)
        np.testing.assert_allclose(value[12:], list(class_ap(literal).values()), rtol=0, atol=1e-12)
    assert np.isnan(values[:, -1]).all(), 'the last category has no objects'


def test_ap_counts_a_hundred_detections_and_the_others_as_many_as_the_last_limit():
    content, found = random_scene(0, images=3, detections=500)
    for weights in ([1, 1, 1], [2, 0, 1]):
        value = weighted(content, found, 'bbox', [weights], maxDets=[1, 100, 120])[0]
        literal = statistics(evaluated(content, found, 'bbox', weights), maxDets=[1, 100, 120])
        np.testing.assert_allclose(value[:12], literal, rtol=0, atol=1e-12)
    evaluation = evaluated(content, found, 'bbox')
    assert statistics(evaluation)[0] != statistics(evaluation, maxDets=[1, 10, 50])[0], 'or the limit would not be seen'


def scene(*scores):
    """One image with one object, one right detection and one wrong one."""
    image = dict(id=1, file_name='1.png', width=90, height=90)
    box = dict(image_id=1, category_id=1, bbox=[10.0, 10.0, 40.0, 40.0], area=1600.0)
    wrong = {**box, 'bbox': [50.0, 50.0, 9.0, 9.0], 'area': 81.0}
    found = [{**each, 'score': score} for each, score in zip((box, wrong), scores, strict=True)]
    content = dict(images=[image], categories=[dict(id=1, name='a')], annotations=[{**box, 'id': 1, 'iscrowd': 0}])
    return content, found


def test_ap_by_hand():
    """A wrong detection before the right one: precision 1/2 at all recalls; after it, 1."""
    assert weighted(*scene(0.5, 0.6), 'bbox', [[1], [3]])[:, 0] == pytest.approx(0.5)
    assert weighted(*scene(0.6, 0.5), 'bbox', [[1], [3]])[:, 0] == pytest.approx(1)


def test_tied_detections_of_a_copied_image_alternate():
    """Right, wrong, right, wrong: precision is 1 up to a recall of 1/2 (51 of the 101), and 2/3 above it."""
    values = weighted(*scene(0.5, 0.5), 'bbox', [[1], [2]])
    assert values[:, 0] == pytest.approx([1, (51 + 50 * 2 / 3) / 101], abs=1e-12)


def test_scores_that_single_precision_cannot_tell_apart():
    assert weighted(*scene(0.5, 0.5 + 1e-12), 'bbox', [[1]])[0, 0] == pytest.approx(0.5)
    assert weighted(*scene(0.5 + 1e-12, 0.5), 'bbox', [[2]])[0, 0] == pytest.approx(1)


def test_nothing_is_known_without_objects():
    assert np.isnan(weighted(*scene(0.5, 0.6), 'bbox', [[0]])).all()


def test_unusual_thresholds_leave_ap50_and_ap75_unknown():
    content, found = random_scene(0)
    values = weighted(content, found, 'bbox', [[1] * 12], iouThrs=np.array([0.6, 0.7]))[0]
    literal = statistics(evaluated(content, found, 'bbox'), iouThrs=np.array([0.6, 0.7]))
    np.testing.assert_allclose(values[:12], literal, atol=1e-12)
    assert np.isnan(values[1:3]).all()


def test_each_resample_is_told():
    content, found = random_scene(0)
    evaluation = evaluated(content, found, 'bbox')
    statistics(evaluation)
    done = []
    weighted_statistics(collect_matches(evaluation), np.ones((130, 12), np.int32), done.append)
    assert sum(done) == 130 and len(done) > 1
