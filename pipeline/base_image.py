"""The image of another commit, built with that commit's own code and its own environment."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deployment.github import add_summary, annotate, set_output
from pipeline.errors import PipelineError
from pipeline.markdown import fenced, plain

COMMIT = re.compile(r"[0-9a-f]{7,40}")
MODEL_DIR = Path("artifacts/model")
BUILD = (".venv/bin/python", "-m", "deployment", "build", "--model-dir", str(MODEL_DIR), "--runtime", "containers")
TAIL_LINES = 30
# What the other commit's commands write must not become this step's.
OF_THIS_STEP = ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY", "VIRTUAL_ENV")


class BuildError(Exception):
    """The commit cannot be built; `tail` holds the last lines of what was tried."""

    def __init__(self, message: str, tail: list[str]) -> None:
        super().__init__(message)
        self.tail = tail


@dataclass(frozen=True)
class Ended:
    """A command that has ended: what it printed, and the last lines of everything."""

    exit_code: int
    output: str
    tail: list[str]


def base_image(environ: Mapping[str, str], commit: str, output: Path) -> None:
    """Build the commit and copy its model to `output`; give the output image, empty where it cannot be built.

    That is no failure: a pull request that repairs the base must be mergeable. Raises PipelineError where the commit
    is not known.
    """
    full = resolve(commit)
    try:
        with worktree(full) as folder:
            image = build(folder, environ)
            shutil.rmtree(output, ignore_errors=True)
            shutil.copytree(folder / MODEL_DIR, output)
    except BuildError as error:
        set_output("image", "")
        annotate("warning", "The base cannot be built", f"{full[:12]}: {error}; nothing is compared with it")
        told = f"{plain(str(error))}. Nothing is compared with it; the last lines:"
        add_summary(f"## The base cannot be built: {full[:12]}\n\n{told}\n\n{fenced(error.tail)}")
        sys.stderr.write(f"base-image: {full[:12]} cannot be built: {error}\n")
        return
    set_output("image", image)
    sys.stdout.write(f"{image}\n")


def resolve(commit: str) -> str:
    """Return the commit's whole hash; raises PipelineError where this clone does not know it."""
    if not COMMIT.fullmatch(commit):
        raise PipelineError(f"--commit: {commit!r} is not 7 to 40 hex digits; give the hash of a commit")
    command = ["git", "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"]
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    if found.returncode:
        raise PipelineError(f"--commit: this clone has no commit {commit}; check out with `fetch-depth: 0`")
    return found.stdout.strip()


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """Yield a folder with the commit checked out, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="base-") as above:
        folder = Path(above, "base")
        made = followed(["git", "worktree", "add", "--detach", str(folder), commit], Path.cwd(), os.environ)
        try:
            if made.exit_code:
                raise BuildError("it cannot be checked out", made.tail)
            yield folder
        finally:
            remove = ["git", "worktree", "remove", "--force", "--force", str(folder)]
            subprocess.run(remove, check=False, capture_output=True)


def build(folder: Path, environ: Mapping[str, str]) -> str:
    """Train and build in the folder; return the image's reference, the last line that the build prints."""
    apart = {name: value for name, value in environ.items() if name not in OF_THIS_STEP}
    trained = followed(["make", "model"], folder, apart)
    if trained.exit_code:
        raise BuildError(f"`make model` ended with code {trained.exit_code}", trained.tail)
    if not (folder / MODEL_DIR).is_dir():
        raise BuildError(f"`make model` has left no {MODEL_DIR}", trained.tail)
    built = followed(list(BUILD), folder, apart)
    if built.exit_code:
        raise BuildError(f"`python -m deployment build` ended with code {built.exit_code}", built.tail)
    lines = built.output.split()
    if not lines:
        raise BuildError("`python -m deployment build` has printed no image", built.tail)
    return lines[-1]


def followed(command: list[str], folder: Path, environ: Mapping[str, str]) -> Ended:
    """Run a command, and pass on what it says on stderr while it says it."""
    last: deque[str] = deque(maxlen=TAIL_LINES)
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
        except OSError as error:
            return Ended(127, "", [f"{command[0]}: {error}"])
        with process:
            for line in process.stderr or ():
                sys.stderr.write(line)
                last.append(line.rstrip())
        output.seek(0)
        printed = output.read()
    return Ended(process.returncode, printed, [*printed.splitlines(), *last][-TAIL_LINES:])
