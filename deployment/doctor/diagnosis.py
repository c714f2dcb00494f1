"""All that doctor looks at, in its order; each lookup ends in time, and no row has a secret in it."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from deployment.bootstrap.tools import Reader, Run, run_tool
from deployment.doctor import connection, emulation, machine, repository
from deployment.doctor.configuration import GROUP as CONFIGURATION
from deployment.doctor.configuration import MODEL_CARD, MODEL_DIR, configuration_rows
from deployment.doctor.connection import Connection, is_connected, login_row, settings_rows, workspace_rows
from deployment.doctor.emulation import emulator_rows, is_lost
from deployment.doctor.limits import Lookup, found_by
from deployment.doctor.rows import Row, masked, skipped
from deployment.releasing import Paths

LOCAL_S, EMULATOR_S = 20.0, 10.0
AZ_S, WORKSPACE_S, GITHUB_S = 20.0, 60.0, 60.0
GH_TIMEOUT_S = 15.0


def diagnose(
    environ: Mapping[str, str] = os.environ,
    *,
    paths: Paths = Paths(),  # noqa: B008 - frozen
    model_dir: Path = MODEL_DIR,
    card: Path = MODEL_CARD,
    run: Run = run_tool,
    connected: Callable[[Paths], Connection] = connection.connect,
) -> Iterator[Row]:
    """Yield every row as it is found; Azure is asked only where the environment names a workspace."""

    def found(group: str, name: str, look: Callable[[], Iterator[Row]], limit_s: float) -> tuple[Row, ...]:
        lookup = Lookup(group, name, lambda: tuple(look()), limit_s)
        return tuple(masked(row, environ) for row in found_by(lookup))

    yield from found(machine.GROUP, "machine", lambda: machine.machine_rows(machine.read_machine(environ)), LOCAL_S)
    yield from found(CONFIGURATION, "files", lambda: configuration_rows(paths, environ, model_dir, card), LOCAL_S)
    of_emulator = found(emulation.GROUP, "answers", lambda: emulator_rows(environ), EMULATOR_S)
    yield from of_emulator
    yield from found(connection.GROUP, "settings", lambda: settings_rows(environ), LOCAL_S)
    if is_connected(environ):
        if is_lost(of_emulator):
            yield skipped(connection.GROUP, "workspace", "not asked", "mend the emulator's rows first")
        else:
            yield from found(connection.GROUP, "login", lambda: iter((login_row(run, environ),)), AZ_S)
            yield from found(
                connection.GROUP,
                "workspace",
                lambda: workspace_rows(environ, paths, lambda: connected(paths)),
                WORKSPACE_S,
            )
    read = Reader(run, GH_TIMEOUT_S)
    yield from found(repository.GROUP, "gh", lambda: repository.repository_rows(read, environ), GITHUB_S)
