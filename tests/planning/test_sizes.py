import re

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.planning.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ('text', 'size'), [('8GiB', 8 * 2**30), ('1.5 MB', 1.5e6), ('100b', 100), ('2kib', 2048), ('.5TiB', 2**39)]
)
def test_sizes(text, size):
    assert parse_size(text, '--budget') == size


@pytest.mark.parametrize('text', ['8', '8 PB', 'GiB', '8Gi', '', '1.2.3GiB', '-1GiB'])
def test_unknown_units_are_refused(text):
    with pytest.raises(InputError, match=rf'--budget.*{re.escape(repr(text))}.*GiB'):
        parse_size(text, '--budget')


@pytest.mark.parametrize(('size', 'text'), [(3 * 2**30, '3.00 GiB'), (2**29, '0.50 GiB'), (11.5 * 2**20, '11.5 MiB')])
def test_sizes_keep_their_digits(size, text):
    assert format_size(size) == text
