"""The one exception for input that a user can put right."""


class InputError(ValueError):
    """Bad input: names the thing, what was expected, and what to do.

    The command-line tools print its message alone, without a traceback, and exit with status 1.
    """
