import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.files.json_file import Count, Number, Percent, decode_json, fit, read_json


def test_a_byte_order_mark_does_not_matter(tmp_path):
    (tmp_path / 'a.json').write_text('{"a": 1}', encoding='utf-8-sig')
    assert read_json(tmp_path / 'a.json', dict[str, Count], 'write it again') == {'a': 1}


@pytest.mark.parametrize(
    ('data', 'said'),
    [
        (b'', 'line 1 column 1'),
        (b'{"a": 1', 'line 1 column 8'),
        ('{"ä": 1}'.encode('latin-1'), '0xe4'),
        (b'{"a": 1, "a": 2}', "'a'"),
        (b'[' * 100_000, 'recursion|nested'),
    ],
)
def test_what_cannot_be_decoded_is_refused(data, said):
    with pytest.raises(InputError, match=rf'(?s)b\.json.*JSON.*({said}).*write it again'):
        decode_json(data, 'b.json', 'write it again')


@pytest.mark.parametrize(
    ('value', 'shape'),
    [(-1, Count), (True, Count), (1.5, Count), (101, Percent), (float('nan'), Percent), ('3', Number), (True, Number)],
)
def test_a_value_that_does_not_fit_is_named_with_its_key(value, shape):
    with pytest.raises(InputError) as caught:
        fit({'a': {'b': value}}, dict[str, dict[str, shape]], 'b.json', 'write it again')
    assert all(word in str(caught.value) for word in ('b.json', 'a.b', repr(value), 'write it again'))


def test_a_file_that_is_too_large_for_a_record_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr('auglocal_mm.files.json_file.LARGEST', 5)
    (tmp_path / 'a.json').write_text('{"a": 1}')
    with pytest.raises(InputError, match=r'a\.json\b.*\b8\b.*\b5\b'):
        read_json(tmp_path / 'a.json', dict[str, Count], 'write it again')
