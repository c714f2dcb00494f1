"""`make demo` as a person runs it."""

import contextlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import docker

from deployment.image import engine_answers
from tests.lib.emulator import REPOSITORY
from tests.lib.making import environment_for_make
from tests.lib.service_container import ensure_engine, in_ci

TIMEOUT_S = 280.0


@dataclass(frozen=True)
class Demo:
    """A demo that has ended; `exit_code` is the demo's own, which make prints and replaces by 2."""

    exit_code: int
    output: str

    @property
    def report(self) -> str:
        """The Markdown report that the output names."""
        named = re.search(r"the same in Markdown\s+(\S+)", self.output)
        assert named, self.output
        return Path(named.group(1)).read_text(encoding="utf-8")

    @property
    def page(self) -> Path:
        """The HTML report that the output names."""
        named = re.search(r"\breport\s+(\S+\.html)", self.output)
        assert named, self.output
        return Path(named.group(1))


def make_demo(reports: Path, *variables: str) -> Demo:
    """Run `make demo` with these variables, its reports in that folder, and wait for its end."""
    ended = subprocess.run(
        ["make", "demo", f"REPORTS={reports}", *variables],
        cwd=REPOSITORY,
        env=environment_for_make(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    own = re.search(r"demo\] Error (\d+)", ended.stdout)
    assert bool(own) == bool(ended.returncode), ended.stdout
    return Demo(int(own.group(1)) if own else 0, ended.stdout)


@dataclass(frozen=True)
class ReadmeDemo:
    """The README's first command: as containers where a Docker Engine answers, elsewhere as processes."""

    demo: Demo
    is_in_containers: bool
    containers_left: frozenset[str]


def make_readme_demo(reports: Path) -> ReadmeDemo:
    """Run `make demo` as it stands in the README, and look which containers there are after it that were not before."""
    if in_ci():
        ensure_engine()
    is_in_containers = engine_answers()
    before = containers() if is_in_containers else frozenset()
    demo = make_demo(reports)
    after = containers() if is_in_containers else frozenset()
    return ReadmeDemo(demo, is_in_containers, after - before)


def containers() -> frozenset[str]:
    """Return the ids of all containers of the engine."""
    with contextlib.closing(docker.from_env()) as client:
        return frozenset(str(container.id) for container in client.containers.list(all=True))
