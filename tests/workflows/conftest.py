from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployment.image import engine_answers
from tests.lib.act import Event, Run, Started, Surroundings, Workbench, make_workbench
from tests.lib.executed_table import LINES
from tests.lib.fork import Fork, make_fork
from tests.lib.service_container import docker, ensure_engine, in_ci
from tests.workflows import scenarios
from tests.workflows.cloud import Cloud, Pushed, running_cloud, shorten
from tests.workflows.events import push
from tests.workflows.files import WORKFLOWS
from tests.workflows.scenarios import Scenario


@dataclass(frozen=True)
class Stage:
    """Runs scenarios on forks, and holds each run against what the scenario says."""

    workbench: Workbench

    def play(self, scenario: Scenario, fork: Fork, event: Event, surroundings: Surroundings | None = None) -> Run:
        """Run a workflow to its end, and assert what became of each job and step."""
        return self.judge(scenario, self.start(scenario, fork, event, surroundings))

    def start(self, scenario: Scenario, fork: Fork, event: Event, surroundings: Surroundings | None = None) -> Started:
        """Start a workflow."""
        return self.workbench.start(fork, scenario.workflow, event, surroundings or Surroundings())

    def judge(self, scenario: Scenario, started: Started) -> Run:
        """Wait for the end of a run, and assert what became of each job and step."""
        run = started.wait(cancelled=scenario.cancelled)
        self.workbench.images.update(run.images)
        assert_as_told(scenario, run, started.log_path)
        LINES.append(line_of(scenario, run))
        return run


def line_of(scenario: Scenario, run: Run) -> str:
    jobs = ", ".join(f"{name}={job.result}({len(job.executed)})" for name, job in run.told.jobs.items())
    return f"{scenario.workflow:<12} {scenario.name} [{run.took_s:.0f} s]: {jobs}"


def assert_as_told(scenario: Scenario, run: Run, log_path: Path) -> None:
    told = run.told
    where = f"{scenario.name} ({log_path})\n{last_lines(run)}"
    assert not told.doubts, f"{told.doubts} in {where}"
    assert told.results == scenario.jobs, where
    assert (run.exit_code == 0) == scenario.is_green, where
    assert {name: job.failed for name, job in told.jobs.items() if job.failed} == {
        name: [step] for name, step in scenario.failed.items()
    }, where
    for name, job in told.jobs.items():
        named = [each["name"] for each in WORKFLOWS[scenario.workflow].jobs[name]["steps"]]
        left_out = set(scenario.left_out.get(name, ()))
        is_run = job.result != "skipped" and name not in scenario.not_run_by_act
        expected = [] if not is_run else [step for step in named if step not in left_out]
        assert job.executed == expected, f"{name} of {where}"


def last_lines(run: Run) -> str:
    return "\n".join(
        f"--- {name}: {job.result}\n" + "\n".join(job.log.splitlines()[-25:])
        for name, job in run.told.jobs.items()
        if job.result == "failure"
    )


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker Engine that answers; CI gets one, elsewhere the tests are skipped where there is none."""
    if in_ci():
        ensure_engine()
    elif not engine_answers():
        pytest.skip("no Docker Engine answers; start one, or: sudo scripts/docker-engine.sh ensure")


@pytest.fixture(scope="session")
def workbench(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """What all runs share; the images that they have built are removed at the end."""
    del engine
    workbench = make_workbench(tmp_path_factory.mktemp("workflows"))
    yield workbench
    here = set(docker("images", "--quiet", "--no-trunc").split())
    if built := workbench.images & here:
        docker("image", "rm", "--force", *built)


@pytest.fixture(scope="session")
def stage(workbench: Workbench) -> Stage:
    return Stage(workbench)


@pytest.fixture(scope="session")
def template(workbench: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Fork:
    """A fork as it is on its first day; tests that change one take a copy."""
    fork = make_fork(tmp_path_factory.mktemp("template") / "diabetes")
    workbench.make_environment(fork)
    return fork


@pytest.fixture(scope="session")
def connected(template: Fork, tmp_path_factory: pytest.TempPathFactory) -> Fork:
    """A fork whose releases take seconds, and which the cloud knows."""
    fork = template.copy_to(tmp_path_factory.mktemp("connected") / "diabetes")
    shorten(fork)
    fork.commit("measure for seconds")
    return fork


@pytest.fixture(scope="session")
def cloud(workbench: Workbench, connected: Fork, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An emulated workspace, a registry, and an issuer of ID tokens."""
    with running_cloud(tmp_path_factory.mktemp("cloud"), connected, workbench.images) as running:
        yield running


@pytest.fixture(scope="session")
def built(stage: Stage, connected: Fork, cloud: Cloud) -> Run:
    """What a push to main has built, pushed and attested."""
    surroundings = cloud.surroundings("registry", with_workspace=False)
    return stage.play(scenarios.BUILD, connected, push(), surroundings)


@pytest.fixture(scope="session")
def second(cloud: Cloud) -> Pushed:
    """A model to release over the one that serves."""
    return cloud.push("2")


@pytest.fixture(scope="session")
def third(cloud: Cloud) -> Pushed:
    """Another one."""
    return cloud.push("3")


@pytest.fixture(scope="session")
def slow(cloud: Cloud) -> Pushed:
    """A model that answers right, and late."""
    return cloud.push("slow", "slow")


@pytest.fixture(scope="session")
def wrong(cloud: Cloud) -> Pushed:
    """A model that misses its golden requests."""
    return cloud.push("wrong", "wrong")
