"""The commands around a release, as a step of a workflow runs them: what they print is in the job's summary too."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner
from typer.testing import Result as Ran

from deployment import cli, cli_options, cli_release, cli_upkeep, takeback
from deployment.checks import Check, Standing
from deployment.cli_upkeep import print_checks, tell_checks
from deployment.display import make_console
from deployment.outcomes import BadInputError, Outcome
from deployment.phases import Phase
from deployment.platform import Endpoint, Routing
from deployment.record import utc_now
from deployment.releasing import Paths
from tests.lib.github_step import Step, a_step
from tests.lib.release_fakes import FakePlatform, FakeScoring, make_record
from tests.lib.shipped import SHIPPED
from tests.unit.deployment.scene import (
    BLUE_LIVE,
    a_deployment,
    a_release,
    a_rollout,
    an_endpoint,
    silent,
    with_record,
)
from tests.unit.deployment.takeback_scene import SPLIT, promoted, under_way

pytestmark = pytest.mark.unit

BOTH = (a_deployment("blue", release_id="r-1"), a_deployment("green"))


@dataclass(frozen=True)
class Shell:
    """The command line with an endpoint in memory, as a step of a workflow."""

    platform: FakePlatform
    step: Step
    folder: Path

    def run(self, *arguments: str, **environ: str) -> Ran:
        return CliRunner().invoke(cli.app, arguments, env=environ)

    def take_back(self, *arguments: str) -> Ran:
        return self.run(*arguments, "--reports-dir", str(self.folder))


Open = Callable[..., Shell]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Return what opens a shell on an endpoint."""
    monkeypatch.chdir(SHIPPED)
    monkeypatch.delenv("GUARD_REPAIR", raising=False)
    monkeypatch.setattr(cli, "heed", lambda: None)
    step = a_step(tmp_path, monkeypatch)

    def make(endpoint: Endpoint | None, *, failing: tuple[str, ...] = ()) -> Shell:
        platform = FakePlatform(endpoint)
        for module in (cli_options, cli_release, cli_upkeep):
            monkeypatch.setattr(module, "connect", lambda *_: platform)
        monkeypatch.setattr(takeback, "ScoringClient", lambda *_, **__: FakeScoring(platform, failing=failing))
        return Shell(platform, step, tmp_path)

    return make


def test_status_adds_who_serves(shell: Open) -> None:
    opened = shell(with_record(an_endpoint(SPLIT, *BOTH), under_way()))
    ran = opened.run("status")
    assert ran.exit_code == 0
    assert "fake: blue 90 %, green 10 % (Succeeded)" in ran.output
    summary = opened.step.summary
    assert summary.startswith("## Who serves\n\nfake: blue 90 %, green 10 % (Succeeded)\n\nrelease r-2: shifting")
    assert "| green | candidate | 10 % | Succeeded |" in summary


def test_status_and_history_say_that_there_is_no_endpoint(shell: Open) -> None:
    opened = shell(None)
    assert "does not exist yet" in opened.run("status").output
    assert "does not exist yet" in opened.run("history").output
    assert opened.step.summary.count("does not exist yet") == 2


def test_history_adds_what_was_released(shell: Open) -> None:
    opened = shell(with_record(an_endpoint(BLUE_LIVE, *BOTH), promoted()))
    ran = opened.run("history")
    assert (ran.exit_code, "promoted" in ran.output) == (0, True)
    assert "## What was released" in opened.step.summary
    assert "| r-2 | promoted |" in opened.step.summary


def test_history_of_nothing_says_so(shell: Open) -> None:
    opened = shell(an_endpoint())
    assert "No release has ended yet." in opened.run("history").output
    assert opened.step.summary == "No release has ended yet.\n\n"


def test_finish_adds_what_it_did(shell: Open) -> None:
    opened = shell(with_record(an_endpoint(BLUE_LIVE, *BOTH), promoted()))
    ran = opened.run("finish", "--now")
    assert ran.exit_code == 0, ran.output
    assert "blue deleted: it had no traffic" in ran.output
    assert "| blue deleted: it had no traffic |" in opened.step.summary


def test_finish_that_is_refused_adds_no_empty_table(shell: Open) -> None:
    opened = shell(with_record(an_endpoint(SPLIT, *BOTH), under_way()))
    ran = opened.run("finish")
    assert isinstance(ran.exception, BadInputError)
    assert opened.step.summary == ""


def test_abort_adds_who_has_the_traffic(shell: Open) -> None:
    opened = shell(with_record(an_endpoint(SPLIT, *BOTH), under_way()))
    ran = opened.take_back("abort", "--release-id", "r-2")
    assert ran.exit_code == 0, ran.output
    assert "ROLLED BACK blue 100 %: 40 of 40 probes reached blue" in ran.output
    assert "| rolled back | blue 100 %: 40 of 40 probes reached blue" in opened.step.summary
    assert opened.platform.there().traffic == BLUE_LIVE


def test_abort_of_a_release_that_is_not_under_way_says_so_and_is_no_failure(shell: Open) -> None:
    opened = shell(with_record(an_endpoint(SPLIT, *BOTH), under_way()))
    left = opened.platform.there()
    ran = opened.take_back("abort", "--release-id", "r-1")
    assert ran.exit_code == 0
    assert "NOTHING TO DO release r-1 is not under way on endpoint fake, but r-2 is" in ran.output
    assert "| nothing to do |" in opened.step.summary
    assert opened.platform.there() is left


def test_a_way_back_that_is_not_there_is_an_error_beside_the_run(shell: Open) -> None:
    opened = shell(with_record(an_endpoint(SPLIT, *BOTH), under_way()), failing=("blue",))
    ran = opened.take_back("rollback", "--to", "blue")
    assert ran.exit_code == Outcome.FROZEN.exit_code
    assert "::error title=rollback%3A frozen::there is no safe way back: blue answers" in ran.output
    assert "| frozen |" in opened.step.summary


def test_rollback_to_nobody_in_particular_is_to_who_served_before(shell: Open) -> None:
    opened = shell(with_record(an_endpoint({"green": 100}, *BOTH), promoted()))
    ran = opened.take_back("rollback", "--to", "")
    assert ran.exit_code == 0, ran.output
    assert opened.platform.there().traffic == BLUE_LIVE


def test_guard_says_that_nothing_is_left_over(shell: Open) -> None:
    opened = shell(an_endpoint())
    ran = opened.take_back("guard")
    assert (ran.exit_code, "Nothing is left over." in ran.output) == (0, True)
    assert opened.step.summary == "Nothing is left over.\n\n"


def test_guard_says_what_is_left_over_and_fails(shell: Open) -> None:
    opened = shell(with_record(an_endpoint(SPLIT, *BOTH), silent(under_way())))
    left = opened.platform.there()
    ran = opened.take_back("guard")
    assert ran.exit_code == 18
    assert "release gone silent" in ran.output
    assert "::warning title=release gone silent::release r-2 is shifting with blue 90 %25, green 10 %25" in ran.output
    assert "| release gone silent | release r-2 is shifting" in opened.step.summary
    assert opened.platform.there() is left


@pytest.mark.parametrize(("variable", "arguments"), [("true", ()), ("false", ("--repair",)), ("", ("--repair",))])
def test_guard_repairs_where_the_variable_or_the_option_says_so(
    variable: str, arguments: tuple[str, ...], shell: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUARD_REPAIR", variable)
    opened = shell(with_record(an_endpoint(SPLIT, *BOTH), silent(under_way())))
    ran = opened.take_back("guard", *arguments)
    assert ran.exit_code == 0, ran.output
    assert opened.platform.there().traffic == BLUE_LIVE
    assert "aborted: blue 100 %" in opened.step.summary
    assert "::warning" not in ran.output


def test_guard_that_may_only_finish_deletes_what_is_left_over(shell: Open) -> None:
    refused = make_record(Phase.OBSERVED).ended(Phase.REFUSED, Outcome.REFUSED_BY_GATE, utc_now())
    opened = shell(with_record(an_endpoint(BLUE_LIVE, *BOTH), refused))
    ran = opened.take_back("guard", "--finish")
    assert ran.exit_code == 0, ran.output
    assert set(opened.platform.there().deployments) == {"blue"}
    assert "| deployment left over |" in opened.step.summary


def test_guard_that_may_only_finish_leaves_a_silent_release_and_fails(shell: Open) -> None:
    opened = shell(with_record(an_endpoint(SPLIT, *BOTH), silent(under_way())))
    left = opened.platform.there()
    ran = opened.take_back("guard", "--finish")
    assert ran.exit_code == 18
    assert "::warning title=release gone silent::" in ran.output
    assert opened.platform.there() is left


def test_guard_that_may_repair_and_finish_repairs(shell: Open) -> None:
    opened = shell(with_record(an_endpoint(SPLIT, *BOTH), silent(under_way())))
    ran = opened.take_back("guard", "--repair", "--finish")
    assert ran.exit_code == 0, ran.output
    assert opened.platform.there().traffic == BLUE_LIVE


def test_teardown_adds_what_it_did(shell: Open) -> None:
    opened = shell(with_record(an_endpoint(BLUE_LIVE, *BOTH), promoted()))
    left = opened.platform.there()
    assert (opened.run("teardown").exit_code, opened.step.summary) == (1, "")  # nobody said yes
    assert opened.platform.there() is left
    ran = opened.run("teardown", "--yes", "--force")
    assert ran.exit_code == 0, ran.output
    assert "| endpoint fake deleted, with blue, green |" in opened.step.summary
    assert opened.platform.endpoint is None


def test_teardown_of_nothing_says_so(shell: Open) -> None:
    opened = shell(None)
    ran = opened.run("teardown", "--yes")
    assert (ran.exit_code, "there is nothing to delete" in ran.output) == (0, True)
    assert "| The endpoint does not exist; there is nothing to delete. |" in opened.step.summary


def test_preflight_adds_its_checks(shell: Open, capsys: pytest.CaptureFixture[str]) -> None:
    opened = shell(None)
    checks = (
        Check("image exists", Standing.OK, "in myregistry"),
        Check("quota", Standing.FAIL, "2 of 4 cores", "ask for `more`"),
    )
    print_checks(make_console(), checks)
    assert "quota: ask for `more`" in capsys.readouterr().out
    assert opened.step.summary == ""
    tell_checks(checks)
    assert "| image exists | ok | in myregistry |  |" in opened.step.summary
    assert "| quota | fail | 2 of 4 cores | ask for &#96;more&#96; |" in opened.step.summary


def test_a_refusal_of_bad_input_is_an_error_beside_the_run(
    shell: Open, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell(
        with_record(
            an_endpoint(SPLIT, *BOTH), replace(make_record(Phase.SHIFTING, routing=Routing(SPLIT)), at=utc_now())
        )
    )
    monkeypatch.setattr("sys.argv", ["deployment", "finish"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert told.err.startswith("error: endpoint fake: release r-2 is under way")
    assert told.out == f"::error title=python -m deployment::{told.err.removeprefix('error: ')}"


def test_a_report_that_cannot_be_written_does_not_let_an_earlier_one_speak(tmp_path: Path) -> None:
    (tmp_path / "r-2" / "report.html").mkdir(parents=True)
    (tmp_path / "r-2" / "report.md").write_text("## PASSED", encoding="utf-8")
    result = a_rollout(FakePlatform(an_endpoint()), tmp_path / "r-2").promote()
    written = cli_release.written_reports(result, a_release(), Paths(reports_dir=tmp_path))
    assert list(written) == ["no report"]
    assert cli_release.folder_of(written) is None
    assert cli_release.folder_of({"report": str(tmp_path / "r-2" / "report.html")}) == tmp_path / "r-2"
