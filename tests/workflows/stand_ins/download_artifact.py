"""In place of actions/download-artifact."""

import json
import shutil
from fnmatch import fnmatchcase
from pathlib import Path

from deployment.github import set_output
from tests.workflows.stand_ins.artifacts import Artifact, digest_of, files_of, kept
from tests.workflows.stand_ins.inputs import Inputs, RefusedError, run, say


def download(inputs: Inputs) -> None:
    name, target = inputs["name"], Path(inputs["path"] or ".").absolute()
    wanted = [
        each for each in kept() if each.name == name or (not name and fnmatchcase(each.name, inputs["pattern"] or "*"))
    ]
    if name and not wanted:
        raise RefusedError(
            f"Unable to download artifact(s): Artifact not found for name: {name}. Please ensure that your artifact is "
            "not expired and the artifact was uploaded using a compatible version of toolkit/upload-artifact."
        )
    for artifact in wanted:
        together = bool(name) or inputs.flag("merge-multiple")
        fetch(artifact, target if together else target / artifact.name)
    set_output("download-path", str(target))
    set_output("artifacts", json.dumps([each.name for each in wanted]))
    say(f"Total of {len(wanted)} artifact(s) downloaded")


def fetch(artifact: Artifact, target: Path) -> None:
    files = files_of(artifact.name)
    if digest_of(files) != artifact.digest:
        raise RefusedError(f"Digest mismatch of artifact {artifact.name}: it is not what was uploaded")
    shutil.copytree(files, target, dirs_exist_ok=True)


if __name__ == "__main__":
    run(download)
