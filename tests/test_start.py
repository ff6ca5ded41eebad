"""Tools start with their own imports: nothing of this package and of MMDetection is there before.

``tools/train.py`` and ``test.py`` are started from nothing in ``engine/test_two_processes.py``.
"""

import os
import subprocess
import sys

from tests_support import REPOSITORY, assert_error

TOOLS = sorted(
    str(path.relative_to(REPOSITORY))
    for folder in ('tools', 'projects')
    for path in (REPOSITORY / folder).rglob('*.py')
    if 'ArgumentParser(' in path.read_text()
)
START = """
import os, sys, mmengine.runner, tests_processes
for tool in sys.argv[1:]:
    child = os.fork() or tests_processes.become([tool, '--no-such-option'], '.', {**os.environ})
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def python(*arguments: str) -> subprocess.CompletedProcess:
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / 'tests')])
    command = [sys.executable, *arguments]
    environment = {**os.environ, 'PYTHONPATH': paths}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def test_every_tool_refuses_an_option_that_it_does_not_have():
    assert len(TOOLS) > 15
    done = python('-c', START, *TOOLS)
    assert done.stdout.split() == ['2'] * len(TOOLS), done.stderr[-3000:]
    errors = [line.partition(': error: ')[0] for line in done.stderr.splitlines() if ': error: ' in line]
    assert errors == [os.path.basename(tool) for tool in TOOLS]
    assert 'Traceback' not in done.stderr


def test_what_is_missing_is_one_sentence_and_status_1():
    assert_error(python('tools/train.py', 'no.py'), 'no.py')
