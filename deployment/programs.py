"""Other people's programs: run to their end, and told with their last lines where that is a bad one."""

import os
import subprocess
from collections.abc import Mapping, Sequence

LAST_LINES = 10


class ProgramError(Exception):
    """A program failed or did not end in time; the message says which, how, and what it wrote last."""


class MissingProgramError(ProgramError):
    """A program is not there, or cannot be run."""


def run_program(command: Sequence[str], *, timeout_s: float, environ: Mapping[str, str] | None = None) -> str:
    """Return what the program printed, its errors left out; raises ProgramError."""
    name = " ".join(command)
    try:
        done = subprocess.run(
            command,
            check=False,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except OSError as error:
        raise MissingProgramError(f"{command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ProgramError(f"{name}: no end within {timeout_s:g} s") from error
    if done.returncode != 0:
        told = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-LAST_LINES:])
        raise ProgramError(f"{name}: exit code {done.returncode}: {told}")
    return done.stdout
