import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.local.depth import downsampling_strides, pyramid_depths, select_layers, widening_strides


def test_pyramid_of_the_small_resnet():
    # ResNet-32: 16 local layers, trimmed to 11 modules, D = 5, r = 0.5.
    assert pyramid_depths(5, 11, 0.5) == [5, 5, 5, 4, 4, 4, 4, 3, 3, 3]


def test_without_decay_all_depths_are_equal():
    assert pyramid_depths(4, 17) == [4] * 16


def test_full_decay_ends_at_one():
    assert pyramid_depths(5, 6, 1.0) == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(('modules', 'depths'), [(1, []), (2, [3]), (3, [3, 2])])
def test_few_modules(modules, depths):
    assert pyramid_depths(3, modules, 0.5) == depths


def test_rounding_decides_ties_of_the_pyramid():
    assert pyramid_depths(2, 4, 1.0, 'half_even') == [2, 2, 1]  # 2, 1.5, 1
    assert pyramid_depths(3, 4, 0.5, 'half_even') == [3, 2, 2]  # 3, 2.5, 2
    assert pyramid_depths(3, 4, 0.5, 'half_up') == [3, 3, 2]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ((0, 4), r'\bdepth\b.*\b1\b.*\b2\b'),
        ((2, 4, 1.5), r'pyramid\b.*\b1\.5\b'),
        ((2, 4, -0.1), r'pyramid\b.*-0\.1\b'),
        ((2, 4, 0.5, 'up'), "rounding.*'up'.*half_even"),
    ],
)
def test_impossible_pyramids_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        pyramid_depths(*arguments)


def test_uniform_selection_spreads_over_the_remaining_layers():
    assert select_layers(1, 17, 4) == [5, 9, 13, 17]
    assert select_layers(4, 17, 1) == [17]


def test_ties_of_the_uniform_selection():
    # 9.5, 12, 14.5, 17; where the stem is layer 0: 8.5, 11, 13.5, 16.
    assert select_layers(7, 17, 4) == [9, 12, 15, 17]
    assert select_layers(7, 17, 4, rounding='half_up') == [10, 12, 15, 17]


@pytest.mark.parametrize('hidden', [3, 4, 9])
def test_all_remaining_layers_are_taken_where_few_remain(hidden):
    assert select_layers(14, 17, hidden) == [15, 16, 17]


def test_sequential_and_repetitive_selection():
    assert select_layers(3, 17, 4, 'sequential') == [4, 5, 6, 7]
    assert select_layers(16, 17, 4, 'sequential') == [17]
    assert select_layers(3, 17, 4, 'repetitive') == [3, 3, 3, 3]


@pytest.mark.parametrize(
    ('key', 'value', 'known'), [('selection', 'random', 'sequential'), ('rounding', 'up', 'half_up')]
)
def test_unknown_selections_and_roundings_are_refused(key, value, known):
    with pytest.raises(InputError, match=f"{key}.*'{value}'.*{known}"):
        select_layers(1, 17, 4, **{key: value})


@pytest.mark.parametrize(
    ('side', 'sides', 'strides'),
    [
        (56, [56, 28, 14, 7], [1, 2, 2, 2]),
        (56, [14, 14, 7], [2, 2, 2]),  # the first layer halves once, and the second one makes up for it
        (56, [7], [2]),  # no layer is left to make up for it
        (56, [7, 7], [2, 2]),
        (56, [56, 56], [1, 1]),
        (15, [8, 4], [2, 2]),  # odd sides halve too
    ],
)
def test_a_halving_that_one_layer_cannot_make_is_left_to_the_next(side, sides, strides):
    assert downsampling_strides(side, sides) == strides


def test_a_vgg_pools_wherever_the_width_changes():
    assert widening_strides(64, [256, 256, 512]) == [2, 1, 2]
