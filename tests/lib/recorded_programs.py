"""An `az`, a `gh` and a `git` that record what they are asked, as programs on PATH."""

import json
import os
import shlex
import sys
from pathlib import Path

from tests.lib import az_recorded, gh_recorded
from tests.lib.emulator import REPOSITORY


def put_on_path(folder: Path) -> dict[str, str]:
    """Write them into the folder, and return the variables that put them first and name the file of their state."""
    bin_dir, state = folder / "bin", folder / "state.json"
    bin_dir.mkdir()
    for name in ("az", "gh", "git"):
        program = f"{shlex.quote(sys.executable)} -S -m tests.lib.{name}_recorded"
        (bin_dir / name).write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(REPOSITORY))} exec {program} "$@"\n')
        (bin_dir / name).chmod(0o755)
    state.write_text(json.dumps({**az_recorded.new_azure(), **gh_recorded.new_github()}), encoding="utf-8")
    return {"PATH": f"{bin_dir}{os.pathsep}{os.environ['PATH']}", "RECORDED": str(state)}
