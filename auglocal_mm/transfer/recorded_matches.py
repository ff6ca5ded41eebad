"""The matches of recorded evaluations, each in a file of its own in the work_dir, which the record names."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from auglocal_mm.errors import InputError
from auglocal_mm.evaluation.matches import Matches
from auglocal_mm.evaluation.matches_file import VERSION, from_bytes, to_bytes
from auglocal_mm.files.atomic import atomic_write, is_there

NAMES = 'matches_*.npz'


class MatchesRecord(BaseModel):
    """Names a file of matches.

    Attributes:
        file: Its name in the work_dir.
        sha256: Of the file, in hexadecimal.
        version: Of what is in it.
    """

    model_config = ConfigDict(extra='forbid', strict=True)
    file: str
    sha256: str
    version: int


def write_matches(work_dir: Path, matches: Mapping[str, Matches]) -> MatchesRecord | None:
    """Writes the matches of an evaluation to a new file, so that the record of an earlier one stays true until it is replaced.

    Args:
        work_dir: The folder.
        matches: By ``'bbox'`` or ``'segm'``; nothing is written if there are none.

    Raises:
        InputError: The file cannot be written.
    """
    if not matches:
        return None
    content = to_bytes(matches)
    sha256 = hashlib.sha256(content).hexdigest()
    name = NAMES.replace('*', sha256[:12])
    with atomic_write(work_dir / name) as temporary:
        temporary.write_bytes(content)
    return MatchesRecord(file=name, sha256=sha256, version=VERSION)


def read_matches(work_dir: Path, record: MatchesRecord) -> dict[str, Matches]:
    """Reads the matches that a record names.

    Raises:
        InputError: They are missing, damaged, not those of the record, or of another version.
    """
    path = work_dir / Path(record.file).name
    advice = f'test the checkpoint again, by tools/test.py, and compare that work_dir instead of {work_dir}'
    if record.version != VERSION:
        raise InputError(f'{path} is of version {record.version} of the COCO metric, expected {VERSION}; {advice}')
    if not is_there(path):
        raise InputError(f'there is no {path}, which the evaluation of {work_dir} names; restore it, or {advice}')
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != record.sha256:
        raise InputError(f'{path} is not the file that the evaluation names (SHA-256 differs); restore it, or {advice}')
    try:
        return from_bytes(content)
    except ValueError as error:
        raise InputError(f'{path} contains no matches of an evaluation ({error}); restore it, or {advice}') from error


def remove_matches(work_dir: Path, kept: Sequence[MatchesRecord]) -> None:
    """Removes the files of matches in a work_dir, except those that are named."""
    names = {record.file for record in kept}
    for path in work_dir.glob(NAMES):
        if path.name not in names:
            path.unlink(missing_ok=True)
