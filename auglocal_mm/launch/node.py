"""Work that one process does for all processes of its node."""

import os
from collections.abc import Callable

from mmengine.dist import all_gather_object, get_rank, get_world_size


def once_per_node(work: Callable[[], object]) -> None:
    """Runs ``work`` in one process of each node, while the others wait for it.

    Args:
        work: What reads or writes files that the processes of a node share.

    Raises:
        Exception: What ``work`` raises, in the first process where it does.
        SystemExit: Of status 1 and without a message, in all other processes then.
    """
    error = None
    if is_first_of_node():
        try:
            work()
        except Exception as raised:  # the others would wait for a process that has ended
            error = raised
    failed = all_gather_object(error is not None)
    if error is not None and failed.index(True) == get_rank():
        raise error
    if any(failed):
        raise SystemExit(1)


def is_first_of_node() -> bool:
    """Whether this is the first process of its node, by what the launcher sets; every process where none says so."""
    local_rank = os.environ.get('OMPI_COMM_WORLD_LOCAL_RANK', os.environ.get('LOCAL_RANK', '0'))
    return get_world_size() == 1 or int(local_rank) == 0
