"""Where artifacts of a run are kept: one folder each, with its files and a record of how long they are to stay."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Artifact:
    """What is recorded of an artifact."""

    id: int
    name: str
    digest: str
    retention_days: int
    archive: bool


def store_of_run() -> Path:
    """Answer the folder of this run's artifacts."""
    return Path(os.environ["GHA_ARTIFACTS"], os.environ["GITHUB_RUN_ID"])


def files_of(name: str) -> Path:
    return store_of_run() / name / "files"


def keep(artifact: Artifact) -> None:
    (store_of_run() / artifact.name / "artifact.json").write_text(json.dumps(asdict(artifact)), encoding="utf-8")


def kept() -> list[Artifact]:
    """Answer every artifact of this run."""
    records = sorted(store_of_run().glob("*/artifact.json"))
    return [Artifact(**json.loads(each.read_text(encoding="utf-8"))) for each in records]


def digest_of(folder: Path) -> str:
    """Answer the sha256, in hex, over the names and contents of all files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
