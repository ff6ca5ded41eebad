from auglocal_mm.studies.machine_settings import first_difference, without_machine


def test_settings_of_the_machine_do_not_count_as_a_difference():
    one = {'a': [{'data_root': 'x', 'b': (1, 2)}], 'num_workers': 1, 'c': {}}
    assert first_difference(one, {'a': [{'data_root': 'y', 'b': [1, 2]}], 'num_workers': 2, 'c': {}}) is None
    assert first_difference(one, {'a': [{'b': [1, 3]}], 'c': {}}) == 'a.0.b.1'
    assert first_difference(one, {'a': [{'b': [1, 2]}], 'c': {}, 'd': None}) == 'd'
    assert first_difference({'c': None}, {}) == 'c'
    assert without_machine({}) == without_machine({'num_workers': 1, 'in_memory': True}) == {}
