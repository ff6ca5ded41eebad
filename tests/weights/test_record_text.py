import pytest
from tests_pretrainings import RECORD

from auglocal_mm.weights.backbone_record import BackboneRecord
from auglocal_mm.weights.record_text import (
    accuracies,
    call,
    commit,
    num_images,
    peak_memory,
    split_points,
    training_time,
    versions,
)


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        (split_points, 'stem, layer1.2'),
        (num_images, '1,234'),
        (training_time, '1:02:05'),
        (peak_memory, '1.50 GiB allocated'),
        (versions, 'python 3.11.7, torch 2.11.0'),
        (commit, '0123abcd, changed'),
    ],
)
def test_what_is_recorded_and_what_is_not(text, expected):
    assert text(BackboneRecord.model_validate(RECORD)) == expected
    assert text(BackboneRecord()) is None


def test_a_network_that_is_not_split_and_several_data_sets():
    sets = [{'type': 'ImageFolder', 'num_images': number} for number in (1000, 1)]
    record = {'partition': {'num_local_modules': 1, 'split_points': []}, 'datasets': sets}
    assert split_points(BackboneRecord.model_validate(record)) == 'not split'
    assert num_images(BackboneRecord.model_validate(record)) == '1,001'


def test_accuracies_with_and_without_the_number_of_images():
    accuracy = {'accuracy': {'accuracy/top1': 7500 / 148}}
    assert accuracies(BackboneRecord.model_validate(accuracy)) == {'accuracy/top1': '50.68'}
    known = BackboneRecord.model_validate({**accuracy, 'num_validation_images': 148})
    assert accuracies(known) == {'accuracy/top1': '50.68 (95 % interval 42.71 to 58.61 over 148 validation images)'}
    assert accuracies(BackboneRecord()) == {}


def test_a_part_of_a_config():
    assert call({'type': 'AugLocalHead', 'depth': 5, 'rounding': 'half_even'}) == (
        "AugLocalHead(depth=5, rounding='half_even')"
    )
