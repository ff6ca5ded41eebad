"""Tools start with their own imports: nothing of this package and of MMDetection has been imported before.

``tools/train.py`` is started without any imports in ``projects/test_digits_demo.py``.
"""

import os
import subprocess
import sys

from tests_support import REPOSITORY

TOOLS = sorted(
    str(path.relative_to(REPOSITORY))
    for folder in ('tools', 'projects')
    for path in (REPOSITORY / folder).rglob('*.py')
    if 'ArgumentParser(' in path.read_text()
)
# What other libraries import takes most of the time, and is the same for all tools.
START = """
import contextlib, os, sys
import imgaug.augmenters, matplotlib.pyplot, mmcv.transforms, mmengine.runner, scipy.io, torch._dynamo, torchvision
import imagecorruptions, pycocotools.cocoeval, pydantic, rich.progress, safetensors.torch, shapely.geometry
with contextlib.suppress(ImportError):  # MMDetection does without it
    import sklearn.gaussian_process, sklearn.mixture
import tests_processes
assert not {'auglocal_mm', 'mmdet'} & set(sys.modules)
for command in sys.argv[1:]:
    child = os.fork() or tests_processes.become(command.split(), '.', {**os.environ})
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_every_tool_starts_and_refuses_what_is_wrong():
    assert len(TOOLS) > 15
    commands = [*(f'{tool} --no-such-option' for tool in TOOLS), 'tools/train.py no.py']
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / 'tests')])
    environment = {**os.environ, 'PYTHONPATH': paths}
    done = subprocess.run(
        [sys.executable, '-c', START, *commands], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ['2'] * len(TOOLS) + ['1'], done.stderr[-3000:]
    *usage, missing = [line.partition('error: ') for line in done.stderr.splitlines() if 'error: ' in line]
    assert [start for start, *_ in usage] == [f'{os.path.basename(tool)}: ' for tool in TOOLS]
    assert missing[0] == '' and 'no.py' in missing[2]
    assert 'Traceback' not in done.stderr
