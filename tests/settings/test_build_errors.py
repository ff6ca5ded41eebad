"""Misspelt configs, through MMEngine's registries; and defects that must not look like them."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from mmengine.registry import Registry

from auglocal_mm.settings.build_errors import build_error_message

PARTS = Registry('part')


@PARTS.register_module()
class Wheel:
    def __init__(self, radius, spokes=8):
        self.radius = radius


@PARTS.register_module()
class Wagon:
    def __init__(self, length, **options):
        self.wheel = PARTS.build(dict(type='Wheel', **options))


@PARTS.register_module()
class Tricycle(Wheel):
    def __init__(self, colour, **options):
        super().__init__(**options)


@PARTS.register_module()
class Engine:
    """Refuses values as libraries do, in its own constructor."""

    def __init__(self, cylinders=4, ann_file='', data_root=None):
        if cylinders > 12:
            raise KeyError(f'invalid number of cylinders {cylinders}')
        if cylinders < 1:
            raise ValueError('cylinders must be positive')
        json.loads(Path(data_root or '', ann_file).read_text() if ann_file else '{}')


@PARTS.register_module()
class Diesel(Engine):
    def __init__(self, **options):
        super().__init__(**options)


@PARTS.register_module()
class Rope:
    def __init__(self, length: float, knots: Sequence[int] = ()):
        self.ends = length / 2, sum(knots)


@PARTS.register_module()
class Broken:
    def __init__(self, radius=1, key='a'):
        Wheel(1, size=2) if key == 'a' else {}[key]


@PARTS.register_module()
class Muddled:
    def __init__(self, size=1):
        Wheel(1, size=size)


def message(config: dict) -> str | None:
    with pytest.raises((KeyError, TypeError, ValueError)) as caught:
        PARTS.build(config)
    return build_error_message(caught.value)


@pytest.mark.parametrize(
    ('config', 'words'),
    [
        (dict(type='Weel', radius=1), ["type='Weel'", 'no part', 'did you mean Wheel']),
        (dict(type='Qqqq'), ["type='Qqqq'", 'no part', 'custom_imports']),
        (dict(radius=1), ["no key 'type'"]),
        (dict(type='Wheel', radius=1, spoke=3), ["Wheel has no key 'spoke'", 'did you mean spokes? A part']),
        (dict(type='Wheel', radius=1, zzz=3), ["Wheel has no key 'zzz'", 'expected some of radius, spokes']),
        (dict(type='Wheel', radius=1, spoke=3), ['_delete_=True']),
        (dict(type='Wheel'), ['Wheel lacks radius']),
        (dict(type='Rope', length='long'), ["Rope has length='long'; expected float"]),
        (dict(type='Rope', length=2, knots=5), ['Rope has knots=5; expected Sequence[int]']),
        (dict(type='Wagon', length=2, radius=1, spoke=3), ["Wheel has no key 'spoke'"]),
        (dict(type='Tricycle', colour='red', radius=1, spoke=3), ["Tricycle has no key 'spoke'"]),
    ],
)
def test_misspelt_types_and_keys_are_named(config, words):
    found = message(config)
    assert found is not None
    assert all(word in found for word in words), found


@pytest.mark.parametrize('name', ['Engine', 'Diesel'])
@pytest.mark.parametrize(('cylinders', 'words'), [(16, 'invalid number of cylinders 16'), (0, 'must be positive')])
def test_what_a_constructor_refuses_is_said_with_its_name(name, cylinders, words):
    found = message(dict(type=name, cylinders=cylinders))
    assert found is not None
    assert found.startswith(f'{name} refuses what the config has for it: ') and words in found


def test_damaged_annotations_are_named(tmp_path):
    (tmp_path / 'train.json').write_text('{"images": [')
    found = message(dict(type='Engine', ann_file='train.json', data_root=str(tmp_path)))
    assert found is not None
    assert f'the annotations {tmp_path}/train.json are no JSON' in found


@pytest.mark.parametrize('config', [dict(type='Broken'), dict(type='Broken', key='b'), dict(type='Muddled', size=3)])
def test_defects_within_a_constructor_keep_their_traceback(config):
    assert message(config) is None


def test_errors_of_no_config_keep_their_traceback():
    assert build_error_message(KeyError('a')) is None
    with pytest.raises(TypeError) as caught:
        Wheel(1, size=2)
    assert build_error_message(caught.value) is None
