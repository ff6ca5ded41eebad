import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.local.partition import resolve_split_points

NAMES = [f'layer{i}' for i in range(1, 10)]


def test_by_default_every_layer_is_a_module():
    assert resolve_split_points(NAMES) == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ('num_modules', 'split_points'), [(1, []), (2, [4]), (4, [2, 4, 6]), (9, [1, 2, 3, 4, 5, 6, 7, 8])]
)
def test_even_split(num_modules, split_points):
    assert resolve_split_points(NAMES, num_modules) == split_points


def test_explicit_split_points_by_number_and_name():
    assert resolve_split_points(NAMES, split_points=[1, 'layer5']) == [1, 5]


def test_trimming_makes_the_last_module_longer():
    assert resolve_split_points(NAMES, last_module_layers=3) == [1, 2, 3, 4, 5, 6]
    assert resolve_split_points(NAMES, num_local_modules=3, last_module_layers=3) == [3, 6]
    assert len(resolve_split_points([str(i) for i in range(16)], last_module_layers=6)) + 1 == 11  # ResNet-32, D = 5


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(num_local_modules=0), r'num_local_modules\b.*\b0\b.*\b1\b.*\b9\b'),
        (dict(num_local_modules=10), r'num_local_modules\b.*\b10\b.*\b9\b'),
        (dict(num_local_modules='two'), "num_local_modules.*'two'"),
        (dict(last_module_layers=2.5), r'last_module_layers\b.*\b2\.5\b'),
        (dict(num_local_modules=8, last_module_layers=3), r'num_local_modules\b.*\b8\b.*\b7\b.*\b3\b'),
        (dict(last_module_layers=0), r'last_module_layers\b.*\b0\b.*\b9\b'),
        (dict(last_module_layers=10), r'last_module_layers\b.*\b10\b.*\b9\b'),
        (dict(split_points=[5, 2]), r'split_points.*\[5, 2\].*ascending'),
        (dict(split_points=[2, 2]), r'split_points.*\[2, 2\].*ascending'),
        (dict(split_points=['layer9']), r"split_points.*'layer9'"),
        (dict(split_points=[9]), r'split_points.*\b9\b.*\b8\b'),
        (dict(split_points=[0]), r'split_points.*\b0\b.*\b8\b'),
        (dict(split_points=['block1']), "split_points.*'block1'.*layer8"),
        (dict(split_points=[2], num_local_modules=2), 'split_points.*num_local_modules'),
        (dict(split_points=[2], last_module_layers=2), 'split_points.*last_module_layers'),
    ],
)
def test_impossible_partitions_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        resolve_split_points(NAMES, **options)


@pytest.mark.parametrize('split_points', [5, 'stem'])
def test_split_points_are_a_list(split_points):
    with pytest.raises(InputError, match=rf'split_points\b.*{split_points!r}.*\blist\b'):
        resolve_split_points(['stem', 'layer1.0', 'layer1.1'], split_points=split_points)
