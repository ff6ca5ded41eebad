"""The error for a call of an op that only a compiled mmcv has."""

from typing import Any, NoReturn

from auglocal_mm.errors import InputError

# Without the last three options pip considers mmcv installed, or takes the same wheel from its cache.
REMEDY = 'pip install --no-build-isolation --no-deps --force-reinstall --no-cache-dir onedl-mmcv'


def refuse_op(op: str, *args: Any, **kwargs: Any) -> NoReturn:
    """Refuses to run ``op``, with any arguments.

    Raises:
        InputError: Always; names the op and how to compile it.
    """
    raise InputError(
        f'the op {op} needs a compiled mmcv, which is not installed; compile it for the installed torch with `{REMEDY}`'
    )
