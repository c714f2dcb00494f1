"""deployment/monitoring/alerts.sh, against an az that writes down what it is told."""

import json
import os
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.lib.emulator import REPOSITORY

pytestmark = pytest.mark.unit

SCRIPT = REPOSITORY / "deployment" / "monitoring" / "alerts.sh"
PLACE = {
    "AZURE_SUBSCRIPTION_ID": "s-1",
    "AZURE_RESOURCE_GROUP": "r-1",
    "AZUREML_WORKSPACE_NAME": "w-1",
    "AZUREML_ENDPOINT_NAME": "prices",
}
ENDPOINT = (
    "/subscriptions/s-1/resourceGroups/r-1/providers/Microsoft.MachineLearningServices/workspaces/w-1"
    "/onlineEndpoints/prices"
)
# Names and dimensions as Azure Monitor's reference of Microsoft.MachineLearningServices/workspaces/onlineEndpoints.
METRICS = {
    "RequestsPerMinute": {"deployment", "statusCode", "statusCodeClass", "modelStatusCode"},
    "RequestLatency_P95": {"deployment"},
}
RECORDING_AZ = """#!{python}
import json, os, sys
with open(os.environ["RECORD"], "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit(int(os.environ.get("AZ_EXIT_CODE", "0")))
"""


class Ran:
    """What the script printed and how it ended, and what az was told."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        az, record = folder / "bin" / "az", folder / "record"
        az.parent.mkdir(exist_ok=True)
        az.write_text(RECORDING_AZ.format(python=sys.executable))
        az.chmod(0o755)
        path = os.pathsep.join([str(az.parent), os.environ["PATH"]])
        environ = {"PATH": path, "RECORD": str(record), **PLACE, **variables}
        done = subprocess.run([SCRIPT, *arguments], env=environ, capture_output=True, text=True, check=False)
        self.exit_code, self.printed, self.errors = done.returncode, done.stdout, done.stderr
        self.calls = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []


def options_of(call: list[str]) -> dict[str, str]:
    return {name: value for name, value in pairwise(call) if name.startswith("--")}


def test_the_command_of_the_page_runs_as_it_stands_there() -> None:
    page = (REPOSITORY / "docs" / "observability.md").read_text(encoding="utf-8")
    (command,) = [line for line in page.splitlines() if line.startswith("deployment/monitoring/alerts.sh ")]
    environ = {"PATH": os.environ["PATH"], **PLACE}
    ran = subprocess.run(
        ["bash", "-c", command], cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_each_alert_is_created_for_the_endpoint_on_a_metric_that_azure_has(tmp_path: Path) -> None:
    ran = Ran(tmp_path)
    assert ran.exit_code == 0, ran.errors
    assert [options_of(call)["--name"] for call in ran.calls] == [
        "prices-failing",
        "prices-model-errors",
        "prices-overloaded",
        "prices-slow",
    ]
    for call in ran.calls:
        assert call[:4] == ["monitor", "metrics", "alert", "create"]
        options = options_of(call)
        assert (options["--scopes"], options["--resource-group"], options["--subscription"]) == (ENDPOINT, "r-1", "s-1")
        assert "--action" not in call
        aggregation, metric, operator, _, *where = options["--condition"].split()
        assert (aggregation, operator) == ("avg", ">")
        assert not where or (where[0], where[2]) == ("where", "includes")
        assert set(where[1:2]) <= METRICS[metric]
    assert "avg RequestLatency_P95 > 500" in ran.calls[-1]


def test_the_limit_and_who_is_told_are_options(tmp_path: Path) -> None:
    ran = Ran(tmp_path, "--p95-ms", "200", "--action-group", "/group/1", "--action-group", "/group/2")
    assert "avg RequestLatency_P95 > 200" in ran.calls[-1]
    for call in ran.calls:
        assert [call[index + 1] for index, each in enumerate(call) if each == "--action"] == ["/group/1", "/group/2"]


def test_a_dry_run_prints_what_a_run_would_do_and_runs_nothing(tmp_path: Path) -> None:
    dry = Ran(tmp_path, "--dry-run", "--action-group", "/group one")
    assert (dry.exit_code, dry.calls) == (0, [])
    real = Ran(tmp_path, "--action-group", "/group one")
    assert [shlex.split(line) for line in dry.printed.splitlines()] == [["az", *call] for call in real.calls]


def test_it_ends_at_the_first_refusal(tmp_path: Path) -> None:
    ran = Ran(tmp_path, AZ_EXIT_CODE="3")
    assert (ran.exit_code, len(ran.calls)) == (3, 1)


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        (["--p95-ms", "fast"], {}, "--p95-ms: not a whole number of milliseconds ('fast')"),
        (["--action-group"], {}, "--action-group: no id follows"),
        (["--quick"], {}, "unknown argument '--quick'; --help"),
        ([], {"AZUREML_ENDPOINT_NAME": ""}, "AZUREML_ENDPOINT_NAME is not set; export it"),
    ],
    ids=range(4),
)
def test_bad_input_is_named_before_anything_is_done(
    tmp_path: Path, arguments: list[str], variables: dict[str, str], message: str
) -> None:
    ran = Ran(tmp_path, *arguments, **variables)
    assert (ran.exit_code, ran.calls) == (2, [])
    assert message in ran.errors


def test_help_says_what_it_needs_and_gives_an_example(tmp_path: Path) -> None:
    told = Ran(tmp_path, "--help").printed
    assert "Monitoring Contributor" in told
    assert "Example:" in told
    assert set(PLACE) <= set(told.replace(",", " ").replace(".", " ").split())
