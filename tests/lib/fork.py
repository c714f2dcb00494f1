"""A fork of this repository: a clone with exactly its files, under a name of its own on GitHub."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lib.emulator import REPOSITORY
from tests.lib.shipped import SHIPPED

NAME = "acme/diabetes"
URL = f"https://github.com/{NAME}"
AUTHOR = ("-c", "user.name=octocat", "-c", "user.email=octocat@users.noreply.github.com", "-c", "commit.gpgsign=false")
SETTINGS = "deployment/release.toml"
SHIPPED_TRAIN = '"""The model."""\n\nfrom model.examples.regression import train\n\n__all__ = ["train"]\n'
Tables = Mapping[str, Mapping[str, str | float | list[float]]]


@dataclass(frozen=True)
class Fork:
    """A repository on this disk that belongs to nobody else."""

    folder: Path

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    def git(self, *arguments: str) -> str:
        """Run git, and answer what it printed."""
        done = subprocess.run(
            ["git", *AUTHOR, *arguments], cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
        return done.stdout.strip()

    def replace(self, path: str, old: str, new: str) -> None:
        """Put one text in another's place, which has to be there."""
        content = self.read(path)
        assert old in content, f"{path} has no {old!r}"
        self.write(path, content.replace(old, new))

    def read(self, path: str) -> str:
        """Read a file."""
        return (self.folder / path).read_text(encoding="utf-8")

    def write(self, path: str, content: str) -> None:
        """Write a file."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(content, encoding="utf-8")

    def commit(self, message: str) -> str:
        """Commit everything, and answer the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.head

    def commit_nothing(self, message: str) -> str:
        """Add a commit that changes no file, and answer it."""
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.head

    def set_profile(self, profile: str, tables: Tables) -> None:
        """Give release.toml this profile in place of the one of that name."""
        content = self.read(SETTINGS)
        without = re.sub(rf"(?m)^\[profiles\.{profile}(?:\.\w+)?\].*\n(?:(?!\[).*\n?)*", "", content)
        assert without != content, f"{SETTINGS} has no profile {profile}"
        self.write(SETTINGS, f"{without}\n{written(profile, tables)}")

    def add_profile(self, profile: str, tables: Tables) -> None:
        """Give release.toml a further profile."""
        self.write(SETTINGS, f"{self.read(SETTINGS)}\n{written(profile, tables)}")

    def copy_to(self, folder: Path) -> "Fork":
        """Answer another one that begins as this one is."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Fork(folder)


def written(profile: str, tables: Tables) -> str:
    lines: list[str] = []
    for table, values in tables.items():
        lines.append(f"[profiles.{profile}.{table}]")
        # What JSON has of texts, numbers and lists, TOML has too.
        lines += [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    return "\n".join([*lines, ""])


def make_fork(folder: Path) -> Fork:
    """Copy and commit what is tracked, and what would be by `git add --all`; nothing that git ignores comes along.

    Endpoint, deployment, settings and model are those that the template ships.
    """
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in sorted({each for each in names if each and (REPOSITORY / each).is_file()}):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, target, follow_symlinks=False)
    shutil.copytree(SHIPPED / "deployment", folder / "deployment", dirs_exist_ok=True)
    fork = Fork(folder)
    fork.write("model/train.py", SHIPPED_TRAIN)
    fork.git("init", "--quiet", "--initial-branch=main")
    fork.git("remote", "add", "origin", f"{URL}.git")
    fork.commit("use this template")
    return fork
