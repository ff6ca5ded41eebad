"""Starts a tool in several processes, as torchrun does, and ends with one sentence instead of a traceback.

Used by dist_train.sh and dist_test.sh: ``run_processes.py PROCESSES TOOL [arguments of the tool]``. The environment variables
``PORT``, ``NNODES``, ``NODE_RANK`` and ``MASTER_ADDR`` are those of MMDetection's scripts; ``RDZV_TIMEOUT`` is the number of
seconds that machines wait for each other.
"""

import logging
import os
import signal
import sys
from importlib.util import find_spec

RANGES = {
    'PORT': ('29500', 1, 2**16 - 1),
    'NNODES': ('1', 1, 2**16),
    'NODE_RANK': ('0', 0, 2**16),
    'RDZV_TIMEOUT': ('600', 1, 2**31),
}
"""Environment variables that are integers: default, minimum and maximum."""


def integer(name: str, text: str, least: int, most: int) -> int:
    """Parses an integer given by the user; anything else ends the program."""
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        sys.exit(f'error: {name} is {text!r}; expected an integer from {least} to {most}')
    return int(text)


def main(processes: str, *command: str) -> None:
    """Runs ``command`` in ``processes`` processes and waits for them."""
    count = integer('the number of GPUs', processes, 1, 2**16)
    settings = {name: integer(name, os.environ.get(name, first), *rest) for name, (first, *rest) in RANGES.items()}
    port, machines, machine, timeout = settings.values()
    if machine >= machines:
        sys.exit(f'error: NODE_RANK is {machine}; expected less than NNODES = {machines}')
    if find_spec('torch') is None:
        sys.exit(f'error: {sys.executable} has no torch; activate the environment in which the project is installed')
    address = os.environ.get('MASTER_ADDR', '127.0.0.1')
    options = [f'--nnodes={machines}', f'--node_rank={machine}', f'--nproc_per_node={count}']
    options += [f'--master_addr={address}', f'--master_port={port}', f'--rdzv_conf=timeout={timeout}']
    if machines > 1:
        print(f'waiting for {machines} machines at {address}:{port}, up to {timeout} s (RDZV_TIMEOUT)', file=sys.stderr)
    run_all([*options, *command], f'{address}:{port}')


def run_all(arguments: list[str], address: str) -> None:
    """Runs torchrun with ``arguments``; exits with the status of the process that failed first."""
    os.environ.setdefault('TORCH_CPP_LOG_LEVEL', 'ERROR')  # otherwise lost connections are logged with stack traces
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    logging.disable(logging.ERROR)  # torchrun logs the errors that are reported here
    signal.signal(
        signal.SIGINT, signal.SIG_DFL
    )  # until torchrun sets its handlers: it waits in C++, which runs no Python handler
    try:
        run(parse_args(arguments))
    except SignalException as error:
        print('stopped', file=sys.stderr)
        sys.exit(128 + error.sigval)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        how = f'ended with status {failure.exitcode}; its message is above'
        if failure.exitcode < 0:
            how = f'was killed by {signal.Signals(-failure.exitcode).name}, probably because memory ran out'
        print(f'error: process {rank} {how}', file=sys.stderr)
        sys.exit(failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode)
    except RuntimeError as error:  # from the store through which machines find each other
        if 'EADDRINUSE' in str(error):
            sys.exit(
                f'error: the port of {address} is in use; choose another one, as in PORT=29501 tools/dist_train.sh ...'
            )
        sys.exit(
            f'error: the machines did not find each other at {address} in time; start this on all of them with the same NNODES, '
            'MASTER_ADDR and PORT, or increase RDZV_TIMEOUT'
        )


if __name__ == '__main__':
    main(*sys.argv[1:])
