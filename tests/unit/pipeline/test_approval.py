"""Who is asked before traffic moves, looked up in an API of GitHub's kind."""

from collections.abc import Iterator
from http import HTTPStatus

import pytest

from pipeline.approval import approval
from pipeline.errors import PipelineError
from tests.lib.github_api import GitHubApi, a_person, a_team, running_github_api
from tests.lib.github_step import Step

pytestmark = pytest.mark.unit

TOKEN = "a-token"  # noqa: S105 - of a server of this test


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with running_github_api("acme/demo", TOKEN) as api:
        yield api


def look(api: GitHubApi, environment: str = "production", **changed: str) -> None:
    asked = {"GITHUB_API_URL": api.url, "GITHUB_REPOSITORY": api.repository, "GITHUB_TOKEN": api.token}
    approval({**asked, "ENVIRONMENT": environment, **changed})


def test_reviewers_are_named_and_nothing_is_warned_of(
    api: GitHubApi, step: Step, capsys: pytest.CaptureFixture[str]
) -> None:
    api.add_environment("production", a_person("octo-cat"), a_team("release_crew"))
    look(api)
    told = "Before traffic moves on production, one of them is asked: octo-cat, team release&#95;crew.\n\n"
    assert step.summary == told
    assert capsys.readouterr().out == ""
    assert api.requests == [("GET", "/repos/acme/demo/environments/production")]


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_an_environment_without_reviewers_is_a_warning_with_the_way_to_add_them(
    environment: str, api: GitHubApi, step: Step, capsys: pytest.CaptureFixture[str]
) -> None:
    api.add_environment("production")
    api.environments["staging"] = [{"type": "required_reviewers", "reviewers": []}]
    look(api, environment)
    for told in (step.summary, capsys.readouterr().out):
        assert f"nobody will be asked before traffic moves on {environment}" in told
        assert "Required reviewers" in told
        assert "private repositories have them on GitHub Enterprise only" in told


def test_an_environment_that_is_not_there_asks_nobody(
    api: GitHubApi, step: Step, capsys: pytest.CaptureFixture[str]
) -> None:
    look(api)
    assert capsys.readouterr().out.startswith("::warning title=Nobody will be asked::nobody will be asked before")
    assert step.summary.startswith("**Warning:** nobody will be asked before traffic moves on production")


@pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.BAD_GATEWAY])
def test_a_refusal_is_a_warning_that_it_could_not_be_looked_up(
    status: HTTPStatus, api: GitHubApi, step: Step, capsys: pytest.CaptureFixture[str]
) -> None:
    api.add_environment("production", a_person("octo-cat"))
    api.refusing = status
    look(api)
    out = capsys.readouterr().out
    assert out.startswith("::warning title=The reviewers could not be looked up::whether anybody is asked")
    assert f"GitHub answered {status.value}" in out
    assert "could not be looked up" in step.summary
    assert "one of them is asked" not in step.summary
    assert ("actions: read" in out) is (status is HTTPStatus.FORBIDDEN)
    assert TOKEN not in out


def test_an_api_that_cannot_be_reached_is_a_warning_too(step: Step, capsys: pytest.CaptureFixture[str]) -> None:
    with running_github_api("acme/demo", TOKEN) as gone:
        pass
    look(gone)
    assert f"{gone.url} cannot be asked" in capsys.readouterr().out
    assert "could not be looked up" in step.summary


@pytest.mark.parametrize("environment", ["", "production-unattended", "../staging"])
def test_another_environment_is_refused_before_anything_is_asked(environment: str, api: GitHubApi, step: Step) -> None:
    with pytest.raises(PipelineError, match="is none; set it to production or staging") as raised:
        look(api, environment)
    assert raised.value.exit_code == 2
    assert api.requests == []
    assert step.summary == ""


def test_what_the_environment_lacks_is_named_at_once() -> None:
    with pytest.raises(PipelineError) as raised:
        approval({})
    assert [message.partition(" ")[0] for message in raised.value.messages] == [
        *("ENVIRONMENT", "GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN")
    ]


def test_an_address_that_is_none_of_the_web_is_refused(api: GitHubApi) -> None:
    with pytest.raises(PipelineError, match="GITHUB_API_URL: 'file:///etc' is no address of the web"):
        look(api, GITHUB_API_URL="file:///etc")
