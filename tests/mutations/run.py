"""Breaks every guarantee of ``changes.py``, one at a time, and says which named tests see it: ``python -m mutations.run``."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests_support import REPOSITORY

from mutations.change import Change
from mutations.changes import CHANGES

COPIED = ('auglocal_mm', 'tests', 'tools', 'configs', 'projects', 'pyproject.toml', 'README.md', 'CONTRIBUTING.md')


def main() -> None:
    """Copies the repository, and in the copy makes one change after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--only', default='', help='a part of the guarantees to try')
    arguments = parser.parse_args()
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, 'repository')
        for name in COPIED:
            source = REPOSITORY / name
            copied = shutil.copytree if source.is_dir() else shutil.copyfile
            copy.mkdir(exist_ok=True)
            copied(source, copy / name)
        for change in CHANGES:
            if arguments.only in change.guarantee:
                caught = _fails(copy, change)
                print(
                    f'{"caught" if caught else "MISSED"}: {change.guarantee} ({change.file}, {change.test})', flush=True
                )
                missed += [] if caught else [change]
    if missed:
        sys.exit(f'{len(missed)} changes were not caught')


def _fails(copy: Path, change: Change) -> bool:
    """Whether the named test fails with the change, and nothing but the change made it fail."""
    path = copy / 'auglocal_mm' / change.file
    text = path.read_text()
    assert text.count(change.old) == 1, change
    path.write_text(text.replace(change.old, change.new))
    command = [sys.executable, '-m', 'pytest', '-q', '-x', '-p', 'no:cacheprovider', *change.test.split()]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(copy)}
    try:
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    finally:
        path.write_text(text)
    if done.returncode not in (0, 1):
        raise RuntimeError(f'{change.test} could not be run: {done.stdout[-2000:]}{done.stderr[-2000:]}')
    return done.returncode == 1


if __name__ == '__main__':
    main()
