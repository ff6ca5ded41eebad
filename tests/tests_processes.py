"""Tools as processes that need no seconds for imports: they are forked from one that has PyTorch and MMDetection already.

They are processes like others, with an exit status, output, signals and limits of their own. ``tests/test_start.py`` starts each
tool from nothing.
"""

import atexit
import functools
import gc
import io
import logging
import multiprocessing
import os
import resource
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from mmengine.config import utils
from mmengine.runner import runner
from tests_server import ADDRESS, SERVER, start, use
from yapf.yapflib import yapf_api

REPOSITORY = Path(__file__).resolve().parents[1]
# Each full collection visits a million objects of imported libraries, and finds nothing.
gc.set_threshold(100_000, 50, 1000)
gc.freeze()
# MMEngine formats the config nine times a training, which takes as long as a small one.
yapf_api.FormatCode = lambda code, **_: (code, True)
# No test loses power, and a full disk shows when a file is written or closed.
os.fsync = lambda file: None
# It asks several programs for their versions at the start of every training.
runner.collect_env = dict
# It reads dozens of YAML files for each config that starts from one of MMDetection's.
utils.load = functools.cache(utils.load)


class Started:
    """A tool that runs. What it says goes to files: it would wait until it is read from a pipe."""

    def __init__(self, *arguments: str, limit_file_size: int | None = None, **environment: str) -> None:
        paths = os.pathsep.join([str(REPOSITORY), environment.pop('PYTHONPATH', '')])
        start()
        everything = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': paths, **environment}
        self.arguments = arguments
        self.said = [tempfile.NamedTemporaryFile() for _ in range(2)]  # noqa: SIM115
        names = [file.name for file in self.said]
        self.process = SERVER.Process(target=_tool, args=(arguments, everything, names, limit_file_size))
        self.process.start()

    def wait(self, timeout: float = 600) -> subprocess.CompletedProcess:
        """Its exit status and what it said; kills it after so many seconds."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        texts = [io.TextIOWrapper(file).read() for file in self.said]
        return subprocess.CompletedProcess(self.arguments, self.process.exitcode, *texts)


def _tool(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    said: Sequence[str],
    limit_file_size: int | None,
) -> None:
    if limit_file_size:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_file_size,) * 2)
    multiprocessing.set_start_method('fork', force=True)  # the default, which this process was not started with
    multiprocessing.context._concrete_contexts['spawn'] = SERVER
    use(environment[ADDRESS])
    subprocess.Popen = _ForkingPopen
    streams = [os.open(name, os.O_RDWR) for name in (os.devnull, *said)]
    become(arguments, REPOSITORY, environment, streams)


class _ForkingPopen(subprocess.Popen):
    """Forks, too, where a process starts Python with a script."""

    def _execute_child(self, args: Any, executable: Any, preexec: Any, close: Any, pass_fds: Any, *rest: Any) -> None:
        script = list(args[1 + (args[1] == '-u') :])  # torchrun asks for no buffers
        if args[0] != sys.executable or not script[0].endswith('.py'):
            super()._execute_child(args, executable, preexec, close, pass_fds, *rest)
            return
        cwd, env, _, _, _, *pipes = rest[:11]
        passed = {os.dup(number): number for number in pass_fds}  # locks close theirs in forked children
        self.pid = os.fork()
        if not self.pid:
            if rest[16]:  # start_new_session
                os.setsid()
            for copy, number in passed.items():
                os.dup2(copy, number)
            become(script, cwd or '.', env or dict(os.environ), [pipes[0], pipes[3], pipes[5]])
        for copy in passed:
            os.close(copy)
        self._child_created = True
        self._close_pipe_fds(*pipes)


def become(
    arguments: Sequence[str], folder: Any, environment: Mapping[str, str], streams: Sequence[int] = ()
) -> NoReturn:
    """Makes this process what ``python arguments`` would be, from its first line to its exit status."""
    status = 1
    try:
        for number, stream in enumerate(streams):
            if stream != -1:
                os.dup2(stream, number)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        logging.disable(logging.NOTSET)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        sys.argv = list(arguments)
        paths = filter(None, environment['PYTHONPATH'].split(os.pathsep))
        sys.path[:0] = [str(Path(arguments[0]).resolve().parent), *paths]
        runpy.run_path(arguments[0], run_name='__main__')
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        for finalizer in list(weakref.finalize._registry):
            # PyTorch would take back every operator that its libraries have registered.
            finalizer.atexit &= finalizer.peek()[1].__module__ != 'torch.library'
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        os._exit(status)
