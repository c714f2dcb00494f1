"""The command line of the pipeline: the runner's own Python runs it, with nothing installed."""

import json
import subprocess
import sys
from argparse import ArgumentParser, _SubParsersAction

import pytest

from pipeline.__main__ import main, parser
from tests.lib.github_step import Step
from tests.lib.shipped import SHIPPED, started_there

pytestmark = pytest.mark.unit


def commands() -> dict[str, ArgumentParser]:
    (sub,) = (each for each in parser()._actions if isinstance(each, _SubParsersAction))  # noqa: SLF001
    return dict(sub.choices)


@pytest.mark.parametrize("name", commands())
def test_every_command_shows_an_example_of_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Example: " in shown
    assert f"python3 -m pipeline {name}" in shown.partition("Example: ")[2]


def run(step: Step, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command line without the packages that are installed beside this Python."""
    return subprocess.run(
        [sys.executable, "-S", "-m", "pipeline", *arguments],
        cwd=SHIPPED,
        env=started_there({**step.environment, **environ}),
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_runs_where_nothing_is_installed(step: Step) -> None:
    ended = run(step, "configured", VARIABLES="{}", VISIBILITY="private")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert step.outputs == {"azure": "false", "attest": "false"}
    assert "Azure is not connected yet" in step.summary


def test_each_thing_that_is_wrong_is_a_line_and_an_annotation(step: Step) -> None:
    ended = run(step, "variables", ENVIRONMENT="registry", VARIABLES='{"ACR_LOGIN_SERVER": "https://x"}')
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == len(ended.stdout.splitlines()) == 6
    assert ended.stderr.startswith("error: AZURE_CLIENT_ID is not set")
    assert ended.stdout.startswith("::error title=python3 -m pipeline variables::AZURE_CLIENT_ID is not set")


def test_required_takes_the_jobs_that_may_be_skipped(step: Step) -> None:
    needs = json.dumps({"test": {"result": "failure"}, "comment": {"result": "skipped"}})
    ended = run(step, "required", "--may-skip", "comment", NEEDS=needs)
    assert ended.returncode == 1
    assert ended.stderr == "error: job test: failure, and it must succeed\n"


def test_dispatch_reads_the_repositorys_own_endpoint(step: Step) -> None:
    asked = {
        "ACTOR": "me",
        "ENVIRONMENT": "staging",
        "PROMOTERS": "",
        "REF": "refs/heads/main",
    }
    ended = run(step, "dispatch", CONFIRMATION="diabetes-staging", **asked)
    assert ended.returncode == 0, ended.stderr
    assert "| staging |" in step.summary


def test_a_link_is_added_to_the_summary(step: Step, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["link", "--title", "The load [report]", "--url", "https://github.test/a b"]) == 2
    assert "--url: 'https://github.test/a b' is no address of the web" in capsys.readouterr().err
    assert main(["link", "--title", "x", "--url", "javascript:alert(1)"]) == 2
    assert step.summary == ""
    assert main(["link", "--title", "The load [report]", "--url", "https://github.test/a(b)?c=1&d=2"]) == 0
    assert step.summary == "[The load &#91;report&#93;](https://github.test/a%28b%29?c=1&d=2)\n\n"


@pytest.mark.parametrize("number", ["0", "-1", "seven"])
def test_a_pull_request_has_a_number(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["comment", "--file", "x", "--pull-request", number])
    assert ended.value.code == 2
    assert "--pull-request" in capsys.readouterr().err


def test_approval_ends_well_where_the_api_cannot_be_reached(step: Step) -> None:
    api = {"GITHUB_API_URL": "http://127.0.0.1:9", "GITHUB_REPOSITORY": "acme/demo", "GITHUB_TOKEN": "a-token"}
    ended = run(step, "approval", ENVIRONMENT="staging", **api)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("::warning title=The reviewers could not be looked up::")


def test_comment_and_base_image_are_commands_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["comment", "--file", "nothing.md", "--pull-request", "7"]) == 2
    assert "--file nothing.md: it cannot be read" in capsys.readouterr().err
    assert main(["base-image", "--commit", "", "--output", "base"]) == 2
    assert "--commit: '' is not 7 to 40 hex digits" in capsys.readouterr().err
