import argparse
import math

import pytest

from auglocal_mm.settings.cfg_options import CfgOptions, parse_value


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        # as the OpenMMLab tools read them
        ('3', 3),
        ('-1e-3', -1e-3),
        ('True', True),
        ('false', False),
        ('None', None),
        ('SGD', 'SGD'),
        ('1,2,3', [1, 2, 3]),
        ('[a, b, c]', ['a', 'b', 'c']),
        ('[(1, 2, 3), [a, b], c]', [(1, 2, 3), ['a', 'b'], 'c']),
        ('(1,2)', (1, 2)),
        ('[]', []),
        ('work_dirs/a.pth', 'work_dirs/a.pth'),
        ('mmdet.ResNet', 'mmdet.ResNet'),
        ('[data/a.json,data/b.json]', ['data/a.json', 'data/b.json']),
        ('[(a/b, c/d), [e/f, g], h]', [('a/b', 'c/d'), ['e/f', 'g'], 'h']),
        ('2026-11-26', '2026-11-26'),
        # what they do not
        ("[dict(type='DGLHead'), 3]", [dict(type='DGLHead'), 3]),
        ('[dict(type=FreezeAuxiliaryHook,start=0.5)]', [dict(type='FreezeAuxiliaryHook', start=0.5)]),
        ("[{'type': 'RandomCrop', 'size': 32}]", [{'type': 'RandomCrop', 'size': 32}]),
        ("dict(a=[dict(b=(1, -2.5))], c='x, y')", dict(a=[dict(b=(1, -2.5))], c='x, y')),
        ('/my data/imagenet', '/my data/imagenet'),
        ("'/my data/imagenet'", '/my data/imagenet'),
        ('[/my data/a, /my data/b]', ['/my data/a', '/my data/b']),
        ('', ''),
        ("'1,2'", '1,2'),
    ],
)
def test_values_are_read_as_they_are_meant(text, value):
    found = parse_value(text)
    assert found == value
    assert type(found) is type(value)


def test_infinity_is_a_number():
    assert parse_value('-1,inf') == [-1, math.inf]


@pytest.mark.parametrize('text', ['[1, 2', '(a, b]', '{a: /b c}', 'dict(type=a b)', '[(a b, c]'])
def test_half_a_list_is_no_word(text):
    with pytest.raises(ValueError, match=r'expected|dict|brackets'):
        parse_value(text)


def test_nothing_is_called(tmp_path):
    text = f"__import__('os').mkdir('{tmp_path}/owned')"
    assert parse_value(text) == text
    assert not (tmp_path / 'owned').exists()


def test_what_is_not_key_and_value_is_refused(capsys):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=CfgOptions)
    assert parser.parse_args(['--cfg-options', 'a.b=3', 'c=[1,2]']).cfg_options == {'a.b': 3, 'c': [1, 2]}
    for wrong in ('train_cfg.max_epochs', 'custom_hooks=[dict(type=a'):
        with pytest.raises(SystemExit):
            parser.parse_args(['--cfg-options', wrong])
        assert f'--cfg-options has {wrong!r}' in capsys.readouterr().err
