"""In place of actions/setup-python: the Python that runs the tests, whichever of the supported ones was asked for."""

import os
import sys
from pathlib import Path

from deployment.github import set_output
from tests.workflows.stand_ins.inputs import Inputs, RefusedError, run, say

SUPPORTED = ("3.11", "3.12", "3.13")


def set_up(inputs: Inputs) -> None:
    wanted = inputs["python-version"]
    if wanted not in SUPPORTED:
        raise RefusedError(f"The version '{wanted}' with architecture 'x64' was not found for Ubuntu 24.04.")
    folder = Path(os.environ["RUNNER_TEMP"], "python", "bin")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(os.path.realpath(sys.executable))
    with Path(os.environ["GITHUB_PATH"]).open("a", encoding="utf-8") as file:
        file.write(f"{folder}\n")
    version = ".".join(map(str, sys.version_info[:3]))
    set_output("python-version", version)
    set_output("python-path", str(folder / "python"))
    say(f"Python {version} stands in for {wanted}")


if __name__ == "__main__":
    run(set_up)
