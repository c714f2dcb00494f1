"""In place of ossf/scorecard-action."""

import json
from pathlib import Path

from tests.workflows.stand_ins.inputs import Inputs, RefusedError, run


def score(inputs: Inputs) -> None:
    if inputs["results_format"] not in {"json", "sarif"}:
        raise RefusedError(f"unsupported results_format {inputs['results_format']!r}")
    if inputs.flag("publish_results"):
        raise RefusedError("publishing results needs the permission id-token: write")
    tool = {"driver": {"name": "Scorecard", "rules": []}}
    document = {"version": "2.1.0", "runs": [{"tool": tool, "results": []}]}
    Path(inputs["results_file"]).write_text(json.dumps(document), encoding="utf-8")


if __name__ == "__main__":
    run(score)
