"""Programs that stand in for other people's: what they were asked, and what they answer, as a test says."""

import shlex
from pathlib import Path


def put_program(folder: Path, name: str, *, prints: str = "", complains: str = "", exit_code: int = 0) -> Path:
    """Put a program into the folder that keeps its arguments beside itself and answers so; return where they are."""
    folder.mkdir(exist_ok=True)
    asked = folder / f"{name}.asked"
    program = folder / name
    program.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$@\" >{shlex.quote(str(asked))}\n"
        f"printf %s {shlex.quote(prints)}\nprintf %s {shlex.quote(complains)} >&2\nexit {exit_code}\n"
    )
    program.chmod(0o755)
    return asked
