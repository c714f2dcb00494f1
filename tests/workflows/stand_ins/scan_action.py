"""In place of anchore/scan-action: the SBOM is the real one, and what is known to be vulnerable is the scenario's."""

import json
import os
from pathlib import Path
from typing import Any

from deployment.github import set_output
from tests.workflows.stand_ins.inputs import Inputs, RefusedError, run, say

SEVERITIES = ("negligible", "low", "medium", "high", "critical")


def scan(inputs: Inputs) -> None:
    if sum(bool(inputs[each]) for each in ("image", "path", "sbom")) != 1:
        raise RefusedError("The following options are mutually exclusive: image, path, sbom")
    cutoff = inputs["severity-cutoff"].lower()
    if cutoff not in SEVERITIES:
        raise RefusedError(
            f"Invalid severity-cutoff value is set to {cutoff} - please ensure you are choosing one of them"
        )
    if inputs["output-format"] not in {"json", "sarif", "table", "cyclonedx-xml", "cyclonedx-json"}:
        raise RefusedError(f"Invalid output-format value is set to {inputs['output-format']}")
    listed = packages(Path(inputs["sbom"]))
    found = [
        each
        for each in known()
        if each["package"] in listed and not (inputs.flag("only-fixed") and not each["fixed_in"])
    ]
    for each in found:
        version = listed[each["package"]]
        say(f"{each['package']:<20} {version:<12} {each['fixed_in']:<12} {each['id']:<16} {each['severity']}")
    say(f"{len(listed)} packages, {len(found)} vulnerabilities")
    if inputs["output-format"] in {"json", "sarif"}:
        report = Path(f"results.{inputs['output-format']}")
        report.write_text(json.dumps(found), encoding="utf-8")
        set_output(inputs["output-format"], str(report))
    if any(SEVERITIES.index(each["severity"]) >= SEVERITIES.index(cutoff) for each in found):
        told = f"Failed minimum severity level. Found vulnerabilities with level '{cutoff}' or higher"
        if inputs.flag("fail-build"):
            raise RefusedError(told)
        say(f"::warning::{told}")


def packages(sbom: Path) -> dict[str, str]:
    """Answer name -> version of what an SPDX document lists."""
    try:
        document = json.loads(sbom.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RefusedError(f"The SBOM cannot be read: {error}") from error
    return {each["name"]: str(each.get("versionInfo", "")) for each in document["packages"]}


def known() -> list[dict[str, Any]]:
    """Answer what the scenario declares: package, id, severity, fixed_in."""
    path = os.environ.get("VULNERABILITIES")
    return list(json.loads(Path(path).read_text(encoding="utf-8"))) if path else []


if __name__ == "__main__":
    run(scan)
