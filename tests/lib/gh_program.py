"""The `gh` of the workflow tests: `gh attestation verify`, by what the stand-in of actions/attest wrote.

It answers as the real one does with --format json; who signed, from which branch and about what is checked. Every call
is written to $GH_LOG. Anything else is refused.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

PROVENANCE = "https://slsa.dev/provenance/v1"
HOST = "https://github.com"


def main(arguments: list[str]) -> int:
    """Carry out one call."""
    with Path(os.environ["GH_LOG"]).open("a", encoding="utf-8") as log:
        log.write(" ".join(arguments) + "\n")
    call = parser().parse_args(arguments)
    if not (os.environ.get("GH_TOKEN") or os.environ.get("GITHUB_TOKEN")):
        return refuse("gh: To use GitHub CLI in a GitHub Actions workflow, set the GH_TOKEN environment variable.", 4)
    _, _, digest = call.artifact.removeprefix("oci://").partition("@sha256:")
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(attestations(digest))]
    of_type = [each for each in found if each["predicate_type"] == call.predicate_type]
    if not of_type:
        return refuse(f"Error: no attestations found for subject sha256:{digest} in repo {call.repo} (HTTP 404)")
    verified = [each for each in of_type if is_expected(each, call)]
    if not verified:
        return refuse(f"Error: verifying with issuer: no attestation of sha256:{digest} matches the expected signer")
    if call.format == "json":
        sys.stdout.write(json.dumps([result(each) for each in verified]) + "\n")
    return 0


def parser() -> argparse.ArgumentParser:
    gh = argparse.ArgumentParser(prog="gh", allow_abbrev=False)
    groups = gh.add_subparsers(dest="group", required=True)
    commands = groups.add_parser("attestation").add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", allow_abbrev=False)
    verify.add_argument("artifact")
    verify.add_argument("--repo", "-R", required=True)
    verify.add_argument("--signer-workflow", required=True)
    verify.add_argument("--source-ref", required=True)
    verify.add_argument("--deny-self-hosted-runners", action="store_true", required=True)
    verify.add_argument("--predicate-type", default=PROVENANCE)
    verify.add_argument("--format", choices=["json"])
    return gh


def attestations(digest: str) -> list[Path]:
    folder = Path(os.environ["GHA_ATTESTATIONS"], digest)
    return list(folder.glob("*.json")) if digest and folder.is_dir() else []


def is_expected(found: dict[str, Any], call: argparse.Namespace) -> bool:
    signer = f"{found['repository']}/{found['workflow']}"
    return bool(
        found["repository"] == call.repo
        and signer == call.signer_workflow.removeprefix("github.com/")
        and found["ref"] == call.source_ref
    )


def result(found: dict[str, Any]) -> dict[str, Any]:
    repository = f"{HOST}/{found['repository']}"
    signer = f"{repository}/{found['workflow']}@{found['ref']}"
    certificate = {
        "certificateIssuer": "CN=sigstore-intermediate,O=sigstore.dev",
        "subjectAlternativeName": signer,
        "issuer": "https://token.actions.githubusercontent.com",
        "buildSignerURI": signer,
        "buildSignerDigest": found["sha"],
        "runnerEnvironment": "github-hosted",
        "sourceRepositoryURI": repository,
        "sourceRepositoryDigest": found["sha"],
        "sourceRepositoryRef": found["ref"],
        "buildTrigger": "push",
        "runInvocationURI": f"{repository}/actions/runs/1/attempts/1",
    }
    algorithm, _, value = found["subject"]["digest"].partition(":")
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": found["subject"]["name"], "digest": {algorithm: value}}],
        "predicateType": found["predicate_type"],
        "predicate": found["predicate"],
    }
    verification = {
        "mediaType": "application/vnd.dev.sigstore.verificationresult+json;version=0.1",
        "statement": statement,
        "signature": {"certificate": certificate},
        "verifiedTimestamps": [],
    }
    return {"attestation": {"bundle": {}}, "verificationResult": verification}


def refuse(message: str, exit_code: int = 1) -> int:
    sys.stderr.write(f"{message}\n")
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
