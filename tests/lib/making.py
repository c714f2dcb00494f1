"""make as a test starts it: as from a shell, whatever `make test` itself was given."""

import os

# An outer make hands its own arguments and flags to what it starts, and a make there takes them for its own.
OF_AN_OUTER_MAKE = frozenset({"ARGS", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"})


def environment_for_make() -> dict[str, str]:
    """Return this process's environment without what an outer make put there."""
    return {name: value for name, value in os.environ.items() if name not in OF_AN_OUTER_MAKE}
