"""Tools start from nothing, with their own imports, and end over bad input with their status and one sentence.

``tools/train.py`` and ``test.py`` do so in ``engine/test_two_processes.py``, two others in tests of their own.
"""

import os
import subprocess
import sys

import pytest
from tests_support import REPOSITORY, assert_error

ELSEWHERE = ('train.py', 'test.py', 'compare_transfer.py', 'imagenet_val.py')
TOOLS = sorted(
    str(path.relative_to(REPOSITORY))
    for folder in ('tools', 'projects')
    for path in (REPOSITORY / folder).rglob('*.py')
    if 'ArgumentParser(' in path.read_text() and path.name not in ELSEWHERE
)


def start(*arguments: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, 'PYTHONPATH': str(REPOSITORY)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize('tool', TOOLS)
def test_a_tool_refuses_an_option_that_it_does_not_have(tool):
    done = start(tool, '--no-such-option')
    assert done.returncode == 2
    assert f'{os.path.basename(tool)}: error: ' in done.stderr.splitlines()[-1]
    assert 'Traceback' not in done.stderr


def test_what_is_missing_is_one_sentence_and_status_1():
    assert_error(start('tools/train.py', 'no.py'), 'no.py')
