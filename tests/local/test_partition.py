import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.local.partition import resolve_cuts

NAMES = [f'layer{i}' for i in range(1, 10)]


def test_by_default_every_layer_is_a_module():
    assert resolve_cuts(NAMES) == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(('number', 'cuts'), [(1, []), (2, [4]), (4, [2, 4, 6]), (9, [1, 2, 3, 4, 5, 6, 7, 8])])
def test_even_cuts_by_number(number, cuts):
    assert resolve_cuts(NAMES, number) == cuts


def test_explicit_cuts_by_number_and_name():
    assert resolve_cuts(NAMES, cut_points=[1, 'layer5']) == [1, 5]


def test_trimming_makes_the_last_module_longer():
    assert resolve_cuts(NAMES, last_module_layers=3) == [1, 2, 3, 4, 5, 6]
    assert resolve_cuts(NAMES, num_local_modules=3, last_module_layers=3) == [3, 6]
    assert len(resolve_cuts([str(i) for i in range(16)], last_module_layers=6)) + 1 == 11  # ResNet-32, D = 5


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(num_local_modules=0), r'num_local_modules is 0; expected 1 \(BP\) to 9'),
        (dict(num_local_modules=10), 'num_local_modules is 10'),
        (dict(num_local_modules='two'), "num_local_modules is 'two'"),
        (dict(last_module_layers=2.5), r'last_module_layers is 2\.5'),
        (dict(num_local_modules=8, last_module_layers=3), r'expected 1 \(BP\) to 7'),
        (dict(last_module_layers=0), 'last_module_layers is 0'),
        (dict(last_module_layers=10), 'last_module_layers is 10'),
        (dict(cut_points=[5, 2]), 'ascending'),
        (dict(cut_points=[2, 2]), 'ascending'),
        (dict(cut_points=['layer9']), 'before the last one'),
        (dict(cut_points=[9]), 'the local layer 9, which is unknown'),
        (dict(cut_points=[0]), 'unknown'),
        (dict(cut_points=['block1']), "'block1', which is unknown"),
        (dict(cut_points=[2], num_local_modules=2), 'excludes'),
        (dict(cut_points=[2], last_module_layers=2), 'excludes'),
    ],
)
def test_impossible_cuts_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        resolve_cuts(NAMES, **options)


@pytest.mark.parametrize('cuts', [5, 'stem'])
def test_cuts_are_a_list(cuts):
    with pytest.raises(InputError, match=r'cut_points is .*; expected a list of local layers'):
        resolve_cuts(['stem', 'layer1.0', 'layer1.1'], cut_points=cuts)
