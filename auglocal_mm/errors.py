"""The exception for input that the user can correct."""


class InputError(ValueError):
    """Bad input: names the key, its value, what was expected, and what to do.

    The command-line tools print its message alone, without a traceback, and exit with status 1.
    """
