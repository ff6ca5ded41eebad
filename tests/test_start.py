"""Tools start with their own imports: nothing of this package but its ``__init__`` has been imported before.

``tools/train.py`` is started without any imports in ``projects/test_digits_demo.py``.
"""

import os
import subprocess
import sys

from tests_support import REPOSITORY

WITHOUT_OPTIONS = {'tools/run_processes.py', 'projects/digits_demo/run_demo.py'}
"""They pass on what they are given, or take nothing."""
SCRIPTS = {
    str(path.relative_to(REPOSITORY))
    for folder in ('tools', 'projects')
    for path in (REPOSITORY / folder).rglob('*.py')
    if "__name__ == '__main__'" in path.read_text()
}
TOOLS = sorted(SCRIPTS - WITHOUT_OPTIONS)
# All modules of this package import its ``__init__`` first, which lets MMDetection be imported without mmcv's operators.
START = """
import os, sys
import auglocal_mm
import mmdet.models
from mmdet.registry import MODELS
print('MaskRCNN' in MODELS, flush=True)
import imagecorruptions, matplotlib.pyplot, mmengine.runner, pydantic, rich.progress, safetensors.torch, torch._dynamo
import tests_processes
known = ('auglocal_mm.ops', 'auglocal_mm.errors')
print([name for name in sys.modules if name.startswith('auglocal_mm.') and not name.startswith(known)], flush=True)
for command in sys.argv[1:]:
    child = os.fork() or tests_processes.become(command.split(), '.', {**os.environ})
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def test_every_tool_starts_and_refuses_what_is_wrong():
    assert len(TOOLS) > 15 and WITHOUT_OPTIONS < SCRIPTS
    commands = [*(f'{tool} --no-such-option' for tool in TOOLS), 'tools/train.py no.py']
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / 'tests')])
    environment = {**os.environ, 'PYTHONPATH': paths}
    done = subprocess.run(
        [sys.executable, '-c', START, *commands], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )
    registered, imported, *printed = done.stdout.splitlines()
    assert registered == 'True'
    assert imported == '[]'
    statuses = [line for line in printed if line.isdecimal()]  # MMDetection prints what it does without
    assert statuses == ['2'] * len(TOOLS) + ['1'], done.stderr[-3000:]
    *usage, missing = [line.partition('error: ') for line in done.stderr.splitlines() if 'error: ' in line]
    assert [start for start, *_ in usage] == [f'{os.path.basename(tool)}: ' for tool in TOOLS]
    assert missing[0] == '' and 'no.py' in missing[2]
    assert 'Traceback' not in done.stderr
