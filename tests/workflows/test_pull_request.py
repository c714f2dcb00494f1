"""image-tests: what a pull request has to pass, and what it is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lib.act import TOKEN, Run, Surroundings
from tests.lib.fork import NAME, Fork
from tests.lib.github_api import BOT, GitHubApi, running_github_api
from tests.workflows import scenarios
from tests.workflows.conftest import Stage
from tests.workflows.events import merge_group, pull_request
from tests.workflows.scenarios import Scenario

pytestmark = [pytest.mark.workflows, pytest.mark.timeout(600)]  # the first test of a run also makes what all need
NUMBER = 7
# What is left of the tests in the forks of these runs: real ones of each sort, in seconds.
KEPT = (
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/lib",
    "tests/shipped",
    "tests/unit/__init__.py",
    "tests/unit/model/__init__.py",
    "tests/unit/model/conftest.py",
    "tests/unit/model/test_served.py",
    "tests/unit/test_help.py",
    "tests/container/__init__.py",
    "tests/container/conftest.py",
    "tests/container/test_service_container.py",
    "tests/workflows/__init__.py",
    "tests/workflows/actions",
    "tests/workflows/cloud.py",
    "tests/workflows/conftest.py",
    "tests/workflows/events.py",
    "tests/workflows/files.py",
    "tests/workflows/pins.toml",
    "tests/workflows/scenarios.py",
    "tests/workflows/stand_ins",
    "tests/workflows/test_contract.py",
    "tests/workflows/test_pins.py",
)
FEWER_ROWS = '''"""The model, fitted on fewer rows."""

from model.examples import regression
from model.trained import Trained


def train(rows_share: float = 1.0) -> Trained:
    """Leave a tenth of the rows out."""
    return regression.train(0.9 * rows_share)
'''


@pytest.fixture(scope="session")
def main_branch(connected: Fork, tmp_path_factory: pytest.TempPathFactory) -> Fork:
    """A fork whose main branch has few tests, and which compares for seconds."""
    fork = connected.copy_to(tmp_path_factory.mktemp("main") / "diabetes")
    for path in fork.git("ls-files", "tests").splitlines():
        if not any(path == kept or path.startswith(f"{kept}/") for kept in KEPT):
            (fork.folder / path).unlink()
    fork.commit("fewer tests")
    return fork


@pytest.fixture
def topic(main_branch: Fork, tmp_path: Path) -> Fork:
    """A branch of it, to change."""
    return main_branch.copy_to(tmp_path / "diabetes")


@pytest.fixture
def api() -> Iterator[GitHubApi]:
    with running_github_api(NAME, TOKEN) as api:
        yield api


def play(stage: Stage, scenario: Scenario, topic: Fork, base: str, api: GitHubApi, *, of: str = NAME) -> Run:
    surroundings = Surroundings(environment={"GITHUB_API_URL": api.url})
    return stage.play(scenario, topic, pull_request(NUMBER, base, topic.head, of=of), surroundings)


def test_a_pull_request_is_compared_with_its_base_under_load_and_the_table_is_its_comment(
    stage: Stage, main_branch: Fork, topic: Fork, api: GitHubApi
) -> None:
    api.add(NUMBER, "Looks good to me.", {"login": "alice", "type": "User"})
    topic.write("model/train.py", FEWER_ROWS)
    topic.commit("fit on fewer rows")
    run = play(stage, scenarios.PULL_REQUEST, topic, main_branch.head, api)
    assert run.told.jobs["test"].log.count(" passed") == 1
    assert run.told.jobs["workflows"].log.count(" passed") == 1
    image = run.told.jobs["image"]
    assert image.outputs["base.image"] != image.outputs["build.image"]
    assert "p50" in run.summary_of("image")
    human, own = api.comments[NUMBER]
    assert human["body"] == "Looks good to me."
    assert own["user"] == BOT
    assert own["body"] == run.artifact("comparison", "comment.md").read_text(encoding="utf-8")
    assert {name: each["retention_days"] for name, each in run.artifacts.items()} == {"comparison": 14}


def test_a_fork_gets_all_of_it_but_the_comment(stage: Stage, main_branch: Fork, topic: Fork, api: GitHubApi) -> None:
    topic.commit_nothing("nothing yet")
    run = play(stage, scenarios.PULL_REQUEST_OF_A_FORK, topic, main_branch.head, api, of="mallory/diabetes")
    assert "comparison" in run.artifacts
    assert api.requests == []


def test_a_change_that_repairs_main_is_not_held_up_in_the_queue_by_a_base_that_cannot_be_built(
    stage: Stage, topic: Fork
) -> None:
    whole = topic.read("service/Dockerfile")
    topic.write("service/Dockerfile", f"{whole}\nRUN false\n")
    base = topic.commit("break main")
    topic.write("service/Dockerfile", whole)
    topic.commit("repair main")
    run = stage.play(scenarios.REPAIR, topic, merge_group(base, topic.head))
    assert "The base cannot be built" in run.summary_of("image")
    assert any("nothing is compared with it" in message for message in run.annotations("warning"))


def test_an_image_that_cannot_be_built_is_red(stage: Stage, main_branch: Fork, topic: Fork, api: GitHubApi) -> None:
    topic.write("service/Dockerfile", topic.read("service/Dockerfile") + "\nRUN exit 3\n")
    topic.commit("break the image")
    run = play(stage, scenarios.BROKEN_DOCKERFILE, topic, main_branch.head, api)
    assert "image" in run.summary_of("required")
    assert api.requests == []


def test_a_server_that_does_not_start_failing_tests_and_lint_are_all_red_at_once(
    stage: Stage, main_branch: Fork, topic: Fork, api: GitHubApi
) -> None:
    topic.replace(
        "service/score.py", "def init() -> None:", 'def init() -> None:\n    raise RuntimeError("out of order")\n'
    )
    topic.write("tests/unit/test_arithmetic.py", "def test_one_is_two() -> None:\n    assert 1 == 2\n")
    topic.replace(".github/workflows/status.yml", "timeout-minutes: 15", "timeout-minutes: 150")
    topic.commit("break everything but the Dockerfile")
    run = play(stage, scenarios.BROKEN_SERVICE, topic, main_branch.head, api)
    assert "out of order" in run.summary_of("image")
    assert "test_one_is_two" in run.told.jobs["test"].log
    for each in ("lint", "test", "workflows", "image"):
        assert each in run.summary_of("required")
