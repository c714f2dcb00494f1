"""The emulator as one process: its parts put together, its two servers, its beginning and its end."""

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import random
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import uvicorn

from deployment.emulator.backend import BackendSettings, make_backend
from deployment.emulator.certificate import CertificateFiles, make_certificate
from deployment.emulator.clock import RealClock
from deployment.emulator.colour import Colour
from deployment.emulator.colours import Colours
from deployment.emulator.control_plane import ControlPlane
from deployment.emulator.data_plane import DataPlane
from deployment.emulator.documents import Documents
from deployment.emulator.dropping import DroppingProtocol
from deployment.emulator.entities import Deployment, Workspace
from deployment.emulator.entra import PATHS, entra_app
from deployment.emulator.environment import export_lines, sdk_environment, write_environment
from deployment.emulator.federation import FederatedCredential, Federation, reader
from deployment.emulator.identity import TOKEN_PATH, identity_app
from deployment.emulator.instances import WatchedInstance
from deployment.emulator.mirroring import Mirroring
from deployment.emulator.probes import HttpProber, Pace
from deployment.emulator.prometheus import PREFIX, prometheus_app
from deployment.emulator.recovery import recover
from deployment.emulator.registries import Registries
from deployment.emulator.runtime import Runtime
from deployment.emulator.store import Store
from deployment.emulator.traffic_log import TrafficLog
from deployment.emulator.upstream import Upstream

logger = logging.getLogger(__name__)
LOOPBACK = "127.0.0.1"
# The SDK polls every 5 to 30 s unless an answer says otherwise.
POLL_AFTER_MS = 50


class StateDirInUseError(Exception):
    """Another emulator runs on the state folder."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How an emulator is started; new_runtime gets the logs folder and the emulator's id.

    operation_s is how long an operation takes besides its work; without core_quota there is none. registry is the
    host of the workspace's own registry, foreign_registries are those of the subscription's others. federated is whose
    assertions are exchanged for tokens.
    """

    state_dir: Path
    new_runtime: Callable[[Path, str], Runtime]
    env_file: Path | None = None
    pace: Pace = field(default_factory=Pace)
    seed: int | None = None
    workspace: Workspace = field(default_factory=Workspace)
    operation_s: float = 0.0
    core_quota: int | None = None
    registry: str | None = None
    foreign_registries: tuple[str, ...] = ()
    federated: tuple[FederatedCredential, ...] = ()


async def serve(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, then end everything that was started.

    announce gets the `export` lines once both servers answer. Raises StateDirInUseError and UnreadableStateError.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    # Instances run elsewhere, and what is stored has to be found from wherever the next emulator is started.
    settings = replace(settings, state_dir=settings.state_dir.resolve())
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    with _lock(settings.state_dir), _loopback_socket() as control, _loopback_socket() as data:
        certificate = make_certificate(settings.state_dir, RealClock().now())
        try:
            async with _running(settings, certificate, control, data) as variables:
                if settings.env_file is not None:
                    write_environment(settings.env_file, variables)
                announce(export_lines(variables))
                await stop.wait()
        finally:
            certificate.remove()
            if settings.env_file is not None:
                settings.env_file.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def _running(
    settings: Settings, certificate: CertificateFiles, control: socket.socket, data: socket.socket
) -> AsyncIterator[dict[str, str]]:
    workspace, clock, store = settings.workspace, RealClock(), Store(settings.state_dir)
    control_url = f"https://{LOOPBACK}:{control.getsockname()[1]}"
    data_url = f"http://{LOOPBACK}:{data.getsockname()[1]}"
    identity_header = secrets.token_urlsafe(24)
    runtime = settings.new_runtime(settings.state_dir / "logs", emulator_id(settings.state_dir))
    await runtime.remove_all()
    upstream = Upstream()
    prober = HttpProber(upstream.session)
    registries = Registries(store, workspace, settings.registry, settings.foreign_registries)

    def new_instance(deployment: Deployment) -> WatchedInstance:
        return WatchedInstance(deployment, runtime, prober, clock, settings.pace, registries.check_pull)

    colours = Colours(lambda deployment: Colour(deployment, new_instance), store.running)
    backend = make_backend(
        BackendSettings(settings.state_dir, workspace, settings.seed, settings.operation_s, settings.core_quota),
        store,
        colours,
        clock,
        registries,
    )
    log = TrafficLog(settings.state_dir / "traffic.jsonl", workspace.location, workspace.name, workspace.workspace_id)
    rng = random.Random(settings.seed)  # noqa: S311 - it splits traffic, it keeps no secret
    mirror_rng = random.Random(settings.seed)  # noqa: S311 - as above; one of its own, so that the split stays the same
    mirroring = Mirroring(colours, upstream, log, mirror_rng)
    data_plane = DataPlane(store, colours, upstream, log, rng, mirroring, backend.faults, backend.tokens)
    identity = identity_app(backend.tokens, identity_header)
    prometheus = prometheus_app(store, colours, log.metrics, data.getsockname()[1])

    async def plain(scope: Any, receive: Any, send: Any) -> None:
        app = prometheus if scope["path"].startswith(PREFIX) else data_plane
        await (identity if scope["path"] == TOKEN_PATH else app)(scope, receive, send)

    recover(store, colours, clock)
    keep_log = asyncio.create_task(data_plane.keep_log())
    documents = Documents(workspace, control_url, data_url)
    control_app = ControlPlane(backend, documents, None if settings.pace.real_delays else POLL_AFTER_MS).app()
    federation = Federation(settings.federated, clock, reader(upstream.session))
    entra = entra_app(backend.tokens, federation, clock, control_url)

    async def encrypted(scope: Any, receive: Any, send: Any) -> None:
        app = entra if PATHS.fullmatch(scope["path"]) else control_app
        await app(scope, receive, send)

    try:
        async with _server(encrypted, control, certificate), _server(plain, data, None):
            yield sdk_environment(
                workspace=workspace,
                control_url=control_url,
                data_url=data_url,
                certificate=certificate.certificate.resolve(),
                identity_header=identity_header,
            )
    finally:
        await backend.operations.cancel()
        await mirroring.close()
        await colours.close()
        await runtime.remove_all()
        keep_log.cancel()
        log.close()
        await upstream.close()
        store.close()


class _Server(uvicorn.Server):
    """A server that leaves the signals to the emulator."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def _server(app: Any, listener: socket.socket, certificate: CertificateFiles | None) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app,
        http=DroppingProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        ssl_certfile=str(certificate.certificate) if certificate else None,
        ssl_keyfile=str(certificate.key) if certificate else None,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells it by an attribute alone
        await asyncio.sleep(0.01)
    if task.done():
        task.result()
        raise RuntimeError("emulator: a server ended before it had started; see the log above")
    try:
        yield
    finally:
        server.should_exit = True
        await task


def emulator_id(state_dir: Path) -> str:
    """Answer the id that containers and processes of an emulator on this folder carry, in this run and the next."""
    return hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:12]


def _loopback_socket() -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((LOOPBACK, 0))
    return listener


@contextlib.contextmanager
def _lock(state_dir: Path) -> Iterator[None]:
    path = state_dir / "lock"
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateDirInUseError(
                f"state folder {state_dir}: another emulator is running on it; stop it or choose another folder"
            ) from error
        yield
        path.unlink()
