import pytest
from mmengine.config import Config

from auglocal_mm.errors import InputError
from auglocal_mm.planning.plan import Plan, PlannedModule
from auglocal_mm.planning.training_config import given_settings, refuse_turns, to_config, to_text


def merged(given: dict) -> tuple[Config, dict]:
    config = Config(dict(a=dict(kept=1, changed=2), steps=[dict(x=1), dict(x=2)]))
    config.merge_from_dict(given)
    return config, given_settings(config, given)


def test_only_what_was_given_is_written():
    _, settings = merged({'a.changed': 3})
    assert settings == {'a': {'changed': 3}}


def test_a_list_of_which_a_part_was_given_is_written_whole():
    _, settings = merged({'steps.1.x': 5})
    assert settings == {'steps': [{'x': 1}, {'x': 5}]}


def test_what_replaced_a_setting_replaces_it_in_the_written_config_too():
    config, settings = merged({'a._delete_': True, 'a.other': 4})
    assert config.a == dict(other=4)
    written = Config(dict(a=dict(kept=1, changed=2)))
    written.merge_from_dict(settings)
    assert written.a == config.a


def test_the_written_config_replaces_what_it_inherits_and_nothing_else(tmp_path):
    base, child = tmp_path / 'base.py', tmp_path / 'child.py'
    base.write_text('number = 4\nheads = dict(depth=2)\nmodel = dict(size=32)\n')
    new = {'_delete_': True, 'num': 2, 'inner': {'_delete_': True, 'x': 1}}
    child.write_text(to_text({'number': new, 'heads': new, 'model': {'heads': new}, 'other': new}, base, 'comment'))
    expected = {'num': 2, 'inner': {'x': 1}}
    config = Config.fromfile(child).to_dict()
    assert [config['number'], config['heads'], config['other']] == [expected] * 3
    assert config['model'] == {'size': 32, 'heads': expected}


def test_the_executor_of_the_config_trains_the_plan():
    modules = [PlannedModule(n, n, depth, (), (), 1, 1.0, 1, 1) for n, depth in enumerate((2, 0))]
    hooks = [dict(type='AugLocalHook', executor=dict(type='CUDAGraphExecutor')), dict(type='PrimaryEMAHook')]
    planned = to_config(Plan(tuple(modules)), ['stem', 'layer1.0'], {}, {}, hooks)
    assert planned['custom_hooks'] == hooks
    alone = to_config(Plan(tuple(modules[1:])), ['stem', 'layer1.0'], {}, {}, hooks)
    assert alone['custom_hooks'] == hooks[1:]


def test_modules_in_turn_have_no_costs_of_an_iteration():
    with pytest.raises(InputError, match=r'update_every is 3\b'):
        refuse_turns(Config(dict(custom_hooks=[dict(type='EMAHook'), dict(type='AugLocalHook', update_every=3)])))
    refuse_turns(Config(dict(custom_hooks=[dict(type='AugLocalHook', update_every=1)])))
    refuse_turns(Config())
