"""Mutations of JSON that stay JSON, mostly, but say something else."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from fuzz.mutations import Mutant, Mutator

HOLE = '"<hole>"'
RAW = {
    'null': ('null',),
    'not_finite': ('NaN', 'Infinity', '-Infinity', '1e999'),
    'huge': ('1e9', '1e300', '9' * 400, str(2**63), str(2**31)),
    'negative': ('-1', '-0.5', '-1e9'),
    'zero': ('0', '0.0', '-0'),
    'text': ('"abc"', '""', '"1"', '"0"', '"' + 'x' * 10**6 + '"', '"\\ud800"', '"\\u0000"'),
    'bool': ('true', 'false'),
    'list': ('[]', '[1]', '[[]]', '[null]', '["a", 1]'),
    'object': ('{}', '{"a": 1}', '{"0": []}'),
    'deep': ('[' * 100_000 + ']' * 100_000, '{"a":' * 5_000 + '1' + '}' * 5_000, '[' * 300 + ']' * 300),
}
"""Texts that take the place of a value."""


def json_mutators(lines: bool = False, unordered: Sequence[str] = ()) -> tuple[Mutator, ...]:
    """All mutations of a JSON file.

    Args:
        lines: Whether it has one JSON value a line.
        unordered: Keys of its top level whose lists mean the same in any order.
    """

    def on_document(name: str, change: Callable, harmless: bool = False) -> Mutator:
        def mutate(rng: random.Random, content: bytes) -> Mutant:
            document = [json.loads(line) for line in content.splitlines()] if lines else json.loads(content)
            changed = change(rng, document)
            text = changed if isinstance(changed, str) else _dump(document, lines)
            return Mutant(name, text.encode('utf-8', 'surrogatepass'), harmless)

        return mutate

    def raw(name: str) -> Mutator:
        return on_document(name, lambda rng, document: _fill_a_hole(rng, document, lines, rng.choice(RAW[name])))

    def reorder_lists(rng: random.Random, document: Any) -> None:
        for key in unordered:
            rng.shuffle(document[key])

    changes = {
        'delete': _delete,
        'rename': _rename,
        'duplicate_an_entry': _duplicate,
        'copy_another_value': _copy_another,
        'as_text': _as_text,
        'wrap': _wrap,
        'list_for_object': _list_for_object,
        'scale': _scale,
    }
    return (
        *map(raw, RAW),
        *(on_document(name, change) for name, change in changes.items()),
        on_document('key_twice', lambda rng, document: _key_twice(rng, document, lines)),
        on_document('reorder_keys', lambda rng, document: _reorder_keys(rng, document, lines), harmless=True),
        *([on_document('reorder_lists', reorder_lists, harmless=True)] if unordered else []),
        *([] if lines else [_indent, _whole]),
        *(_encoding, _byte_order_mark, _not_ascii, _more_than_one),
    )


def _dump(document: Any, lines: bool) -> str:
    return '\n'.join(map(json.dumps, document)) + '\n' if lines else json.dumps(document)


def _parent_and_key(rng: random.Random, document: Any) -> tuple[Any, Any]:
    """A random place, found by a random walk: rare keys near the top are met as often as what lists repeat."""
    parent, key = None, None
    value = document
    while isinstance(value, dict | list) and value and (parent is None or rng.random() < 0.8):
        parent, key = value, rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        value = parent[key]
    return parent, key


def _object(rng: random.Random, document: Any) -> dict:
    """A random object of the document."""
    found, stack = [], [document]
    while stack:
        value = stack.pop()
        if isinstance(value, dict | list):
            stack.extend(value.values() if isinstance(value, dict) else value)
        if isinstance(value, dict) and value:
            found.append(value)
    return rng.choice(found)


def _fill_a_hole(rng: random.Random, document: Any, lines: bool, text: str) -> str:
    parent, key = _parent_and_key(rng, document)
    parent[key] = json.loads(HOLE)
    return _dump(document, lines).replace(HOLE, text)


def _key_twice(rng: random.Random, document: Any, lines: bool) -> str:
    """The last one has the right value."""
    chosen = _object(rng, document)
    key = rng.choice(list(chosen))
    right, chosen[key] = json.dumps(chosen[key]), json.loads(HOLE)
    wrong = rng.choice(('0', '"abc"', 'null', '[]'))
    return _dump(document, lines).replace(HOLE, f'{wrong}, {json.dumps(key)}: {right}')


def _delete(rng: random.Random, document: Any) -> None:
    parent, key = _parent_and_key(rng, document)
    del parent[key]


def _rename(rng: random.Random, document: Any) -> None:
    chosen = _object(rng, document)
    key = rng.choice(list(chosen))
    chosen[rng.choice((key.upper(), key + '_', key[:-1], f' {key}', 'ключ'))] = chosen.pop(key)


def _duplicate(rng: random.Random, document: Any) -> None:
    lists = [value for value in _values(document) if isinstance(value, list) and value]
    if lists:
        chosen = rng.choice(lists)
        chosen.insert(rng.randrange(len(chosen) + 1), rng.choice(chosen))


def _copy_another(rng: random.Random, document: Any) -> None:
    """As when two files are merged: an id twice, a reference to another thing."""
    chosen = _object(rng, document)
    key = rng.choice(list(chosen))
    others = [value[key] for value in _values(document) if isinstance(value, dict) and key in value]
    chosen[key] = rng.choice(others)


def _as_text(rng: random.Random, document: Any) -> None:
    parent, key = _parent_and_key(rng, document)
    parent[key] = parent[key] if isinstance(parent[key], str) else json.dumps(parent[key])


def _wrap(rng: random.Random, document: Any) -> None:
    parent, key = _parent_and_key(rng, document)
    parent[key] = rng.choice(([parent[key]], {'value': parent[key]}))


def _list_for_object(rng: random.Random, document: Any) -> None:
    parent, key = _parent_and_key(rng, document)
    value = parent[key]
    parent[key] = list(value.values()) if isinstance(value, dict) else {str(i): v for i, v in enumerate([value])}


def _scale(rng: random.Random, document: Any) -> None:
    numbers = [
        (parent, key)
        for parent in _values(document)
        if isinstance(parent, dict | list)
        for key, value in (parent.items() if isinstance(parent, dict) else enumerate(parent))
        if isinstance(value, int | float)
    ]
    if numbers:
        parent, key = rng.choice(numbers)
        parent[key] *= rng.choice((-1, 2, 10, 0.5, 1000))


def _reorder_keys(rng: random.Random, document: Any, lines: bool) -> str:
    def reordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: reordered(value[key]) for key in rng.sample(list(value), len(value))}
        return [reordered(each) for each in value] if isinstance(value, list) else value

    return _dump(reordered(document), lines)


def _values(document: Any) -> list[Any]:
    found, position = [document], 0
    while position < len(found):
        value = found[position]
        if isinstance(value, dict | list):
            found.extend(value.values() if isinstance(value, dict) else value)
        position += 1
    return found


def _indent(rng: random.Random, content: bytes) -> Mutant:
    return Mutant(
        'indent', json.dumps(json.loads(content), indent=rng.choice((1, 4))).encode() + b'\n\n', harmless=True
    )


def _whole(rng: random.Random, content: bytes) -> Mutant:
    texts = (b'null', b'5', b'"text"', b'[]', b'{}', b'[' + content + b']', b'{"a": ' + content + b'}', b'NaN')
    return Mutant('whole', rng.choice(texts))


def _encoding(rng: random.Random, content: bytes) -> Mutant:
    return Mutant('encoding', content.decode().encode(rng.choice(('utf-16', 'utf-32', 'utf-16-le', 'utf-7'))))


def _byte_order_mark(rng: random.Random, content: bytes) -> Mutant:
    return Mutant('byte_order_mark', b'\xef\xbb\xbf' + content)


def _not_ascii(rng: random.Random, content: bytes) -> Mutant:
    """Latin-1 in a text, which is not UTF-8."""
    quotes = [i for i, byte in enumerate(content) if byte == ord('"')]
    at = rng.choice(quotes) + 1
    return Mutant('not_ascii', content[:at] + 'é'.encode('latin-1') + content[at:])


def _more_than_one(rng: random.Random, content: bytes) -> Mutant:
    return Mutant(
        'more_than_one', content + rng.choice((b'{}', b',', b'\n{}\n', b'null', content[: len(content) // 2]))
    )
