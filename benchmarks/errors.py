"""Why something was not measured."""


class BenchmarkError(Exception):
    """Nothing can be measured here, or one server cannot; the message says what to do about it."""
