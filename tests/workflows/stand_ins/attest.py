"""In place of actions/attest: writes what was attested, and by which workflow, where the `gh` of the tests looks."""

import json
import os
import re
from pathlib import Path

from deployment.github import add_summary, set_output
from tests.workflows.stand_ins.id_token import fetch
from tests.workflows.stand_ins.inputs import Inputs, RefusedError, run, say

PROVENANCE = "https://slsa.dev/provenance/v1"
SBOM = "https://spdx.dev/Document/v2.3"


def attest(inputs: Inputs) -> None:
    digest, name = inputs["subject-digest"], inputs["subject-name"]
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise RefusedError('subject-digest must be in the format "sha256:<hex-digest>"')
    if not name:
        raise RefusedError("subject-name must be provided when using subject-digest")
    fetch("sigstore")  # what signs it on GitHub
    predicate: object = {"buildType": "https://actions.github.io/buildtypes/workflow/v1"}
    if inputs["sbom-path"]:
        predicate = json.loads(Path(inputs["sbom-path"]).read_text(encoding="utf-8"))
        if not isinstance(predicate, dict) or "spdxVersion" not in predicate:
            raise RefusedError("Unsupported SBOM format")
    folder = Path(os.environ["GHA_ATTESTATIONS"], digest.removeprefix("sha256:"))
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.iterdir())) + 1
    path = folder / f"{number}.json"
    path.write_text(json.dumps(document(name, digest, SBOM if inputs["sbom-path"] else PROVENANCE, predicate)))
    set_output("bundle-path", str(path))
    set_output("attestation-id", str(number))
    url = f"{os.environ['GITHUB_SERVER_URL']}/{os.environ['GITHUB_REPOSITORY']}/attestations/{number}"
    set_output("attestation-url", url)
    if inputs.flag("show-summary"):
        add_summary(f"### Attestation Created\n\n[{name}@{digest}]({url})")
    say(f"Attestation created for {name}@{digest}")


def document(name: str, digest: str, predicate_type: str, predicate: object) -> dict[str, object]:
    # A workflow's name is its file's, as a test of the workflows holds; act does not tell the file.
    return {
        "repository": os.environ["GITHUB_REPOSITORY"],
        "workflow": f".github/workflows/{os.environ['GITHUB_WORKFLOW']}.yml",
        "ref": os.environ["GITHUB_REF"],
        "sha": os.environ["GITHUB_SHA"],
        "subject": {"name": name, "digest": digest},
        "predicate_type": predicate_type,
        "predicate": predicate,
    }


if __name__ == "__main__":
    run(attest)
