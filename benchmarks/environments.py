"""Everything measured runs in an environment made from a hashed lock, in .bench: the image's, and one for each peer."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.errors import BenchmarkError

REPOSITORY = Path(__file__).resolve().parent.parent
BENCH = REPOSITORY / ".bench"
REQUIREMENTS = REPOSITORY / "requirements"
LOCKS = REQUIREMENTS / "peers"
# What the image installs, and no more: what else is installed may be imported, and then takes time and memory.
IMAGE = "service"
INSTALL_TIMEOUT_S = 900
STAMP = ".locked-by"
PRINT_VERSIONS = (
    "import importlib.metadata as m, json, sys; print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"
)


def environment_of(lock: str | None) -> Path:
    """Return the folder of an environment's programs, made where it is missing or its lock has changed.

    None is the environment of this process. Raises BenchmarkError where it cannot be made.
    """
    if lock is None:
        return Path(sys.executable).parent
    folder = BENCH / lock
    requirements = (REQUIREMENTS if lock == IMAGE else LOCKS) / f"{lock}.txt"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = folder / STAMP
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        uv = _find_uv()
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)])
        python = str(folder / "bin" / "python")
        # Compiled beforehand, as the image is: the process that compiles keeps several megabytes from it.
        options = ["--quiet", "--require-hashes", "--compile-bytecode", "--python", python]
        _run([uv, "pip", "sync", *options, str(requirements)])
        if lock == IMAGE:
            _run([python, "-m", "compileall", "-q", str(REPOSITORY / "service")])
        stamp.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def versions_in(programs: Path, packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of packages of that environment."""
    ended = subprocess.run(
        [str(programs / "python"), "-c", PRINT_VERSIONS, *packages], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise BenchmarkError(f"versions: {ended.stderr.strip()[-300:]}")
    versions: dict[str, str] = json.loads(ended.stdout)
    return versions


def _find_uv() -> str:
    fetched = REPOSITORY / ".uv" / "bin" / "uv"  # scripts/environment.sh puts one there
    uv = shutil.which("uv") or (str(fetched) if fetched.is_file() else None)
    if uv is None:
        raise BenchmarkError("uv: not on PATH and not in .uv; install it, or run `make env`, which fetches it")
    return uv


def _run(command: list[str]) -> None:
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S, env=os.environ
        )
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"uv: took longer than {INSTALL_TIMEOUT_S} s; see that a package index answers") from error
    if ended.returncode:
        raise BenchmarkError(f"uv: {' '.join(command[1:3])} failed: {ended.stderr.strip()[-300:]}")
