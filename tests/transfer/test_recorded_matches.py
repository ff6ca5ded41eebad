import hashlib
import re

import pytest

from auglocal_mm.errors import InputError
from auglocal_mm.transfer.evaluation_record import Evaluations, read_evaluations, write_evaluations
from auglocal_mm.transfer.recorded_matches import read_matches, remove_matches


@pytest.fixture
def work_dir(make_evaluated):
    return make_evaluated('bp')


def recorded(work_dir):
    return read_evaluations(work_dir).validation.matches


def test_a_record_names_its_matches(work_dir):
    record = recorded(work_dir)
    assert [path.name for path in work_dir.glob('*.npz')] == [record.file]
    assert list(read_matches(work_dir, record)) == ['bbox', 'segm']


def test_they_move_with_the_work_dir(work_dir):
    moved = work_dir.rename(work_dir.with_name('moved'))
    assert read_matches(moved, recorded(moved))


def test_without_matches_nothing_is_written(make_evaluated):
    work_dir = make_evaluated('bp', recorded=False)
    assert recorded(work_dir) is None
    assert not list(work_dir.glob('*.npz'))


def refused(work_dir, record):
    with pytest.raises(InputError) as caught:
        read_matches(work_dir, record)
    return str(caught.value)


def test_missing_matches_are_refused(work_dir):
    record = recorded(work_dir)
    (work_dir / record.file).unlink()
    assert str(work_dir / record.file) in refused(work_dir, record)


@pytest.mark.parametrize('damage', [lambda data: data[:-1], lambda data: data + b'x', lambda data: b''])
def test_damaged_matches_are_refused(work_dir, damage):
    record = recorded(work_dir)
    path = work_dir / record.file
    path.write_bytes(damage(path.read_bytes()))
    assert re.search(rf'{path}.*SHA-256', refused(work_dir, record))


def test_matches_of_another_version_are_refused(work_dir):
    record = recorded(work_dir).model_copy(update={'version': 0})
    assert re.search(rf'{record.file}.*\b0\b.*\b1\b', refused(work_dir, record))


def test_a_record_cannot_name_a_file_elsewhere(work_dir):
    record = recorded(work_dir).model_copy(update={'file': f'../{work_dir.name}/../x.npz'})
    assert str(work_dir / 'x.npz') in refused(work_dir, record)


def test_matches_of_earlier_evaluations_are_removed_and_others_stay(work_dir):
    record = recorded(work_dir)
    (work_dir / 'matches_0.npz').write_bytes(b'')
    (work_dir / 'own.npz').write_bytes(b'')
    remove_matches(work_dir, [record])
    assert sorted(path.name for path in work_dir.glob('*.npz')) == sorted([record.file, 'own.npz'])
    write_evaluations(work_dir, Evaluations(validation=None, test=read_evaluations(work_dir).validation))
    assert (work_dir / record.file).exists()
    write_evaluations(work_dir, Evaluations(validation=None, test=None))
    assert [path.name for path in work_dir.glob('*.npz')] == ['own.npz']


def test_a_file_that_is_no_matches_is_refused_where_its_digest_agrees(work_dir):
    record = recorded(work_dir)
    (work_dir / record.file).write_bytes(b'text')
    record = record.model_copy(update={'sha256': hashlib.sha256(b'text').hexdigest()})
    assert str(work_dir / record.file) in refused(work_dir, record)
