"""The one error of this package."""

EXIT_BAD_INPUT = 2


class ModelError(Exception):
    """A model cannot be trained, stored or served; the message says what was wrong, with which value, and what to do.

    The command line prints it on stderr and ends with EXIT_BAD_INPUT.
    """
