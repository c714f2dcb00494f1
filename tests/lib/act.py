"""Workflow files of a fork, executed by act: each job on this machine in a copy of the fork, and nothing of GitHub."""

import contextlib
import html
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deployment.image import choose_building_client
from tests.lib.act_log import Told, read_log
from tests.lib.emulator import REPOSITORY, wait_until
from tests.lib.fork import NAME, Fork
from tests.lib.making import environment_for_make
from tests.lib.shipped import IMAGE_NAME
from tests.lib.warm_cache import copy_warm

WORKFLOWS = REPOSITORY / "tests" / "workflows"
ACTIONS = WORKFLOWS / "actions"
PINS = WORKFLOWS / "pins.toml"
ACT = Path(sys.executable).parent / "act"
LABELS = ("ubuntu-24.04",)
# Long, and like nothing else: act masks a secret wherever it stands, in the middle of a word too.
TOKEN = "ghs_0fakeTokenOfTheWorkflowTests0"  # noqa: S105 - of no account
ACTOR = "octocat"
RUN_TIMEOUT_S = 270.0
CANCEL_TIMEOUT_S = 20.0
# Where certificates of a proxy are, for the machine that has one: an image's packages are fetched through it.
KEPT_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "BASE_IMAGE")
NO_FILES = ("--env-file", "--secret-file", "--var-file", "--input-file")


@dataclass(frozen=True)
class Event:
    """What starts a workflow: its name, and the document that GitHub sends with it."""

    name: str
    document: Mapping[str, Any]


@dataclass(frozen=True)
class Surroundings:
    """What a run finds: the repository's variables, and what stands in for GitHub's and Azure's services."""

    variables: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run that has ended."""

    run_id: int
    told: Told
    exit_code: int
    artifacts_dir: Path
    took_s: float

    @property
    def summary(self) -> str:
        """The summaries of all jobs as a reader sees them."""
        return html.unescape(self.told.summary)

    def summary_of(self, job: str) -> str:
        return html.unescape(self.told.jobs[job].summary)

    @property
    def artifacts(self) -> dict[str, dict[str, Any]]:
        """What is recorded of each artifact, by name."""
        records = sorted(self.artifacts_dir.glob("*/artifact.json"))
        return {each.parent.name: json.loads(each.read_text(encoding="utf-8")) for each in records}

    def artifact(self, name: str, path: str) -> Path:
        """Answer a file of an artifact."""
        return self.artifacts_dir / name / "files" / path

    @property
    def images(self) -> set[str]:
        """The ids of the images that it has built."""
        outputs = [value for job in self.told.jobs.values() for value in job.outputs.values()]
        return {digest for value in outputs for name, _, digest in [value.partition("@")] if name == IMAGE_NAME}

    def annotations(self, level: str) -> list[str]:
        return [each.message for job in self.told.jobs.values() for each in job.annotations if each.level == level]


@dataclass(frozen=True)
class Started:
    """A run that goes on."""

    process: subprocess.Popen[bytes]
    workflow: Path
    run_id: int
    log_path: Path
    artifacts_dir: Path
    began_s: float

    def cancel(self) -> None:
        """Cancel it, as GitHub does: the step that runs is interrupted, and what is to run always still runs."""
        self.process.send_signal(signal.SIGINT)

    def wait(self, *, cancelled: bool = False) -> Run:
        """Wait for its end."""
        try:
            exit_code = self.process.wait(RUN_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.cancel()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(CANCEL_TIMEOUT_S)
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"act did not end within {RUN_TIMEOUT_S:g} s; see {self.log_path}") from None
        took_s = self.log_path.stat().st_mtime - self.began_s
        lines = self.log_path.read_text(encoding="utf-8").splitlines()
        told = read_log(lines, self.workflow, cancelled=cancelled)
        return Run(self.run_id, told, exit_code, self.artifacts_dir, took_s)

    def wait_until(self, text: str, timeout_s: float) -> None:
        """Return once something has been printed; fails where the run ends without it."""
        wait_until(lambda: self.has_printed(text) or self.process.poll() is not None, timeout_s, self.log_path)
        assert self.has_printed(text), f"act ended without {text!r}; see {self.log_path}"

    def has_printed(self, text: str) -> bool:
        return json.dumps(text)[1:-1] in self.log_path.read_text(encoding="utf-8")


@dataclass(frozen=True)
class Workbench:
    """What all runs share: a folder, a PATH with the stand-ins for az and gh, caches, and the ids of images made."""

    folder: Path
    images: set[str] = field(default_factory=set)

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    @property
    def az_calls(self) -> list[str]:
        """Every call of az so far."""
        return lines_of(self.folder / "az.log")

    @property
    def gh_calls(self) -> list[str]:
        """Every call of gh so far."""
        return lines_of(self.folder / "gh.log")

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of act, and of every step; nothing else of this machine's gets there."""
        kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        warm = self.folder / "uv"
        return {
            **kept,
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            "DOCKER_CONFIG": str(self.folder / "docker"),
            "DOCKER_BUILDKIT": "1",
            "UV_CACHE_DIR": str(warm) if warm.is_dir() else uv_cache_dir(),
            "UV_LINK_MODE": "hardlink",
            "UV_PYTHON_DOWNLOADS": "never",
            "MYPY_CACHE_DIR": str(self.folder / "mypy"),
            "RUFF_CACHE_DIR": str(self.folder / "ruff"),
            "STAND_INS": str(REPOSITORY),
            "GHA_ARTIFACTS": str(self.artifacts),
            "GHA_ATTESTATIONS": str(self.folder / "attestations"),
            "AZ_LOG": str(self.folder / "az.log"),
            "GH_LOG": str(self.folder / "gh.log"),
        }

    def make_environment(self, fork: Fork) -> None:
        """Make the fork's locked environment, once: it fills uv's cache, and jobs then need no network for theirs."""
        around = environment_for_make()
        network = {name: value for name, value in around.items() if name not in {"VIRTUAL_ENV", "PYTHONPATH"}}
        made = subprocess.run(
            ["make", "env"],
            cwd=fork.folder,
            env={**network, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr
        copy_warm(Path(uv_cache_dir()), fork.folder, self.folder / "uv")
        # Each job makes its own, and what is here would only be copied and walked through.
        shutil.rmtree(fork.folder / ".venv")

    def start(self, fork: Fork, workflow: str, event: Event, surroundings: Surroundings) -> Started:
        """Start a workflow file of the fork."""
        run_id = 1_000_000_000 + secrets.randbelow(1_000_000_000)
        folder = self.folder / "runs" / f"{workflow}-{run_id}"
        folder.mkdir(parents=True)
        (folder / "event.json").write_text(json.dumps(event.document), encoding="utf-8")
        path = Path(".github", "workflows", f"{workflow}.yml")
        command = [str(ACT), event.name, "--workflows", str(path), "--eventpath", str(folder / "event.json")]
        command += self.options(run_id, surroundings)
        log_path = folder / "act.log"
        with log_path.open("wb") as log, (folder / "act.err").open("wb") as errors:
            process = subprocess.Popen(
                command, cwd=fork.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=errors
            )
        return Started(
            process, fork.folder / path, run_id, log_path, self.artifacts / str(run_id), log_path.stat().st_mtime
        )

    def options(self, run_id: int, surroundings: Surroundings) -> list[str]:
        options = ["--json", "-v", "--rm", "--pull=false", "--no-cache-server", "--concurrent-jobs", "2"]
        options += ["--container-daemon-socket", "-", "--action-cache-path", str(self.folder / "act"), "--actor", ACTOR]
        options += [part for name in NO_FILES for part in (name, "/dev/null")]
        options += [part for label in LABELS for part in ("--platform", f"{label}=-self-hosted")]
        options += [part for pinned, stand_in in stand_ins() for part in ("--local-repository", f"{pinned}={stand_in}")]
        options += ["--secret", f"GITHUB_TOKEN={TOKEN}"]
        options += [part for name, value in surroundings.variables.items() for part in ("--var", f"{name}={value}")]
        environment = {
            "GITHUB_REPOSITORY": NAME,
            "GITHUB_RUN_ID": str(run_id),
            **surroundings.environment,
        }
        return options + [part for name, value in environment.items() for part in ("--env", f"{name}={value}")]


def make_workbench(folder: Path) -> Workbench:
    """Fill the folder of PATH: Python, uv and docker of this machine, and the tests' own az and gh."""
    workbench = Workbench(folder)
    for made in (workbench.bin, folder / "home", folder / "docker"):
        made.mkdir(parents=True)
    python = Path(os.path.realpath(sys.executable))
    programs = {"python": python, "python3": python, "uv": Path(uv()), "docker": Path(choose_building_client())}
    for name, program in programs.items():
        (workbench.bin / name).symlink_to(program)
    for stub in ("az", "gh"):
        wrapper = workbench.bin / stub
        wrapper.write_text(
            f'#!/bin/sh\nPYTHONPATH="$STAND_INS" exec {python} -P -m tests.lib.{stub}_program "$@"\n', encoding="utf-8"
        )
        wrapper.chmod(0o755)
    if (REPOSITORY / ".mypy_cache").is_dir():
        shutil.copytree(REPOSITORY / ".mypy_cache", folder / "mypy")
    return workbench


def stand_ins() -> Iterable[tuple[str, Path]]:
    """Answer each pinned action of others that has a stand-in, as `uses:` names it, and where that is."""
    for name, pin in tomllib.loads(PINS.read_text(encoding="utf-8")).items():
        if pin.get("stand_in", True):
            yield f"{name}@{pin['sha']}", ACTIONS / name


def uv() -> str:
    found = shutil.which("uv", path=f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}")
    assert found, "no uv; make env installs it"
    return found


def uv_cache_dir() -> str:
    return subprocess.run([uv(), "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []
