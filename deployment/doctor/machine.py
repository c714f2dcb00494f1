"""The machine: what has to be there whatever is done with this repository."""

import hashlib
import os
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deployment.doctor.rows import Row, fail, ok, skipped, warn
from deployment.image import CA_BUNDLE_VARIABLES, ImageError, choose_building_client, docker_clients
from deployment.programs import ProgramError, run_program

GROUP = "machine"
PYTHONS = ((3, 11), (3, 13))
ENGINE_TIMEOUT_S = 5.0
FREE_GB_NEEDED, FREE_GB_WANTED = 1.0, 5.0
MEMORY_GB_WANTED = 3.0
CORES_WANTED = 2
PORT = 8003
STAMP = Path(".venv/.locked-by")
LOCK = Path("requirements/dev.txt")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
BUNDLES = (*CA_BUNDLE_VARIABLES, "CURL_CA_BUNDLE")
PROCESSES = "make demo RUNTIME=processes does without"


@dataclass(frozen=True)
class Machine:
    """What was read of the machine; None is what is not there."""

    python: tuple[int, int]
    stamp: str | None
    lock: str | None
    docker: tuple[str, ...]
    engine: str | None
    builder: str  # the client that builds, or why there is none
    builds: bool
    free_gb: float
    cores: int
    memory_gb: float
    git: str | None
    make: str | None
    port_is_free: bool
    environ: Mapping[str, str]


def read_machine(environ: Mapping[str, str], root: Path = Path()) -> Machine:
    """Look at the machine; asks a Docker Engine for its version, and nobody else."""
    clients = tuple(docker_clients(environ))
    try:
        builder, builds = choose_building_client(), True
    except ImageError as error:
        builder, builds = str(error).removeprefix("image: "), False
    return Machine(
        python=sys.version_info[:2],
        stamp=text_of(root / STAMP),
        lock=digest_of(root / LOCK),
        docker=clients,
        engine=next(filter(None, map(engine_version, clients)), None),
        builder=builder,
        builds=builds,
        free_gb=shutil.disk_usage(root).free / 1e9,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gb=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9,
        git=shutil.which("git"),
        make=shutil.which("make"),
        port_is_free=is_free(PORT),
        environ=environ,
    )


def text_of(path: Path) -> str | None:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def digest_of(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def engine_version(client: str) -> str | None:
    try:
        command = [client, "version", "--format", "{{.Server.Version}}"]
        return run_program(command, timeout_s=ENGINE_TIMEOUT_S).strip() or None
    except ProgramError:
        return None


def is_free(port: int) -> bool:
    """Tell whether nobody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def machine_rows(machine: Machine) -> Iterator[Row]:
    """Yield what is to be said of the machine."""
    yield python_row(machine)
    yield environment_row(machine)
    yield from docker_rows(machine)
    yield disk_row(machine)
    yield size_row(machine)
    for name, path in (("git", machine.git), ("make", machine.make)):
        fix = f"install it: apt-get install {name}, or your system's own way"
        yield ok(GROUP, name, path) if path else fail(GROUP, name, "not on PATH", fix)
    yield port_row(machine)
    yield from network_rows(machine.environ)


def python_row(machine: Machine) -> Row:
    told = ".".join(map(str, machine.python))
    if PYTHONS[0] <= machine.python <= PYTHONS[1]:
        return ok(GROUP, "Python", told)
    return fail(GROUP, "Python", f"{told}, where 3.11 to 3.13 are needed", "PYTHON=/path/to/python3.13 make env")


def environment_row(machine: Machine) -> Row:
    name = "environment"
    if machine.stamp is None:
        return warn(GROUP, name, f"{STAMP} is not there: this is no environment that make has made", "make env")
    if machine.stamp != machine.lock:
        return warn(GROUP, name, f".venv is not what {LOCK} locks", "make env")
    return ok(GROUP, name, f".venv is what {LOCK} locks")


def docker_rows(machine: Machine) -> Iterator[Row]:
    if not machine.docker:
        yield skipped(GROUP, "Docker Engine", "no docker on PATH", f"install one to build images; {PROCESSES}")
        return
    if machine.engine is None:
        fix = f"start it, or let this user use it (group docker); {PROCESSES}"
        yield warn(GROUP, "Docker Engine", f"{', '.join(machine.docker)}: no engine answers", fix)
        return
    yield ok(GROUP, "Docker Engine", machine.engine)
    if machine.builds:
        yield ok(GROUP, "BuildKit", machine.builder)
    else:
        yield warn(GROUP, "BuildKit", machine.builder, f"install docker-buildx to build images; {PROCESSES}")


def disk_row(machine: Machine) -> Row:
    told = f"{machine.free_gb:.0f} GB free"
    if machine.free_gb < FREE_GB_NEEDED:
        return fail(GROUP, "disk", f"{machine.free_gb:.1f} GB free of {FREE_GB_NEEDED:g} at least", "make room")
    if machine.free_gb < FREE_GB_WANTED:
        return warn(GROUP, "disk", f"{told}; a few images take {FREE_GB_WANTED:g}", "docker system prune, or make room")
    return ok(GROUP, "disk", told)


def size_row(machine: Machine) -> Row:
    told = f"{machine.cores} cores, {machine.memory_gb:.0f} GB of memory"
    if machine.cores < CORES_WANTED or machine.memory_gb < MEMORY_GB_WANTED:
        fix = f"use a machine with {CORES_WANTED} cores and {MEMORY_GB_WANTED:g} GB, or trust no latency measured here"
        return warn(GROUP, "size", f"{told}: live and candidate will hinder each other", fix)
    return ok(GROUP, "size", told)


def port_row(machine: Machine) -> Row:
    if machine.port_is_free:
        return ok(GROUP, f"port {PORT}", "free, for `python -m service`; all else takes any free port")
    fix = "end what listens there, or set API_SERVER_PORT, to run `python -m service` by hand; all else works"
    return warn(GROUP, f"port {PORT}", "somebody listens there", fix)


def network_rows(environ: Mapping[str, str]) -> Iterator[Row]:
    """Yield the proxy and the CA bundle that programs here are told of."""
    told = [f"{name}={environ[name]}" for each in PROXIES for name in (each, each.lower()) if environ.get(name)]
    yield ok(GROUP, "proxy", ", ".join(told) or "none")
    named = {name: environ[name] for name in BUNDLES if environ.get(name)}
    missing = [f"{name}={path}" for name, path in named.items() if not Path(path).is_file()]
    if missing:
        fix = "let it name a file with the certificates, or unset it: nothing can be fetched over TLS so"
        yield fail(GROUP, "CA bundle", f"{', '.join(missing)}: there is no such file", fix)
    else:
        told = [
            f"{path} ({', '.join(name for name in named if named[name] == path)})"
            for path in dict.fromkeys(named.values())
        ]
        yield ok(GROUP, "CA bundle", ", ".join(told) or "the system's own")
