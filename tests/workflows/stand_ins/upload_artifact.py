"""In place of actions/upload-artifact."""

import glob
import os
import shutil
from pathlib import Path

from deployment.github import set_output
from tests.workflows.stand_ins.artifacts import Artifact, digest_of, files_of, keep, store_of_run
from tests.workflows.stand_ins.inputs import Inputs, RefusedError, run, say

MOST_DAYS = 90


def upload(inputs: Inputs) -> None:
    root, files = found(inputs["path"])
    if not files:
        say_or_refuse(inputs["if-no-files-found"], inputs["path"])
        return
    archive = inputs.flag("archive")
    if not archive and len(files) != 1:
        raise RefusedError(f"When 'archive' is false, only a single file can be uploaded. Found {len(files)} files.")
    name = inputs["name"] if archive else files[0].name
    days = int(inputs["retention-days"] or MOST_DAYS)
    if not 1 <= days <= MOST_DAYS:
        raise RefusedError(f"Invalid retention-days: {days}")
    if inputs.flag("overwrite"):
        shutil.rmtree(store_of_run() / name, ignore_errors=True)
    if (store_of_run() / name).exists():
        raise RefusedError(
            f"Failed to CreateArtifact: Received non-retryable error: Failed request: (409) Conflict: an artifact with "
            f"this name already exists on the workflow run ({name})"
        )
    for file in files:
        target = files_of(name) / file.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    artifact = Artifact(len(list(store_of_run().iterdir())), name, digest_of(files_of(name)), days, archive)
    keep(artifact)
    set_output("artifact-id", str(artifact.id))
    server, repository = os.environ["GITHUB_SERVER_URL"], os.environ["GITHUB_REPOSITORY"]
    run_url = f"{server}/{repository}/actions/runs/{os.environ['GITHUB_RUN_ID']}"
    set_output("artifact-url", f"{run_url}/artifacts/{artifact.id}")
    set_output("artifact-digest", artifact.digest)
    say(f"Artifact {name} has been successfully uploaded! {len(files)} files, for {days} days")


def found(patterns: str) -> tuple[Path, list[Path]]:
    """Answer the files, hidden ones left out, and the folder that their names in the artifact begin at."""
    matches = [
        Path(match).absolute()
        for line in patterns.splitlines()
        if line.strip()
        for match in sorted(glob.glob(line.strip(), recursive=True))  # noqa: PTH207 - absolute patterns too
    ]
    files = [file for match in matches for file in (sorted(match.rglob("*")) if match.is_dir() else [match])]
    roots = [match if match.is_dir() else match.parent for match in matches]
    root = Path(os.path.commonpath(roots)) if roots else Path()
    kept = dict.fromkeys(each for each in files if each.is_file() and not is_hidden(each.relative_to(root)))
    return root, list(kept)


def is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def say_or_refuse(behaviour: str, path: str) -> None:
    message = f"No files were found with the provided path: {path}. No artifacts will be uploaded."
    match behaviour:
        case "error":
            raise RefusedError(message)
        case "warn":
            say(f"::warning::{message}")
        case "ignore":
            say(message)
        case other:
            raise RefusedError(f"Unrecognized if-no-files-found input. Provided: {other}.")


if __name__ == "__main__":
    run(upload)
