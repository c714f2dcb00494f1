"""`python -m deployment.emulator`: Azure ML's managed online endpoints on this machine."""

import logging
import os
import sys
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from deployment.emulator.containers import ContainerRuntime, NoEngineError, RegistryLogin
from deployment.emulator.federation import FederatedCredential
from deployment.emulator.probes import Pace
from deployment.emulator.processes import ProcessRuntime
from deployment.emulator.registries import RegistryNameError
from deployment.emulator.runtime import Runtime
from deployment.emulator.server import Settings, StateDirInUseError, serve
from deployment.emulator.store import UnreadableStateError

PASSWORD_VARIABLE = "EMULATOR_REGISTRY_PASSWORD"  # noqa: S105 - the name of a variable, not a secret


class RuntimeName(StrEnum):
    """Behind what a deployment's instances run."""

    CONTAINERS = "containers"
    PROCESSES = "processes"


def main(
    *,
    state_dir: Annotated[Path, typer.Option(help="Folder for the certificate, the traffic log and instance logs.")],
    runtime: Annotated[RuntimeName, typer.Option(help="Run instances as containers or as processes.")],
    bundles: Annotated[
        Path | None, typer.Option(help="Folder of the bundles, one folder for each digest; for processes.")
    ] = None,
    env_file: Annotated[
        Path | None, typer.Option(help="Write the variables to export here once ready; removed at the end.")
    ] = None,
    real_delays: Annotated[
        bool, typer.Option("--real-delays", help="Wait the probes' initial delay and period as the platform does.")
    ] = False,
    registry: Annotated[
        str | None, typer.Option(help="Host of the workspace's own registry, pulled from as --registry-username.")
    ] = None,
    registry_username: Annotated[str, typer.Option(help=f"Its password is read from ${PASSWORD_VARIABLE}.")] = "",
    foreign_registry: Annotated[
        list[str] | None,
        typer.Option(help="Host of another registry of the subscription, where AcrPull has to be granted; repeatable."),
    ] = None,
    federated_issuer: Annotated[
        list[str] | None,
        typer.Option(help="URL of an OIDC issuer whose ID tokens are exchanged for tokens; repeatable."),
    ] = None,
    federated_subject: Annotated[
        list[str] | None,
        typer.Option(help="Subject of those ID tokens, repo:OWNER@1/NAME@2:environment:production; repeatable."),
    ] = None,
    operation_seconds: Annotated[
        float, typer.Option(min=0, help="How long each operation takes besides its work.")
    ] = 0.0,
    core_quota: Annotated[int, typer.Option(min=0, help="Cores that all deployments may take together.")] = 100,
    seed: Annotated[int | None, typer.Option(help="Make the traffic split and the faults repeatable.")] = None,
) -> None:
    """Serve Azure ML's control plane and data plane on loopback until SIGINT or SIGTERM.

    Prints the environment variables with which the unmodified azure-ai-ml SDK talks to it.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    if runtime is RuntimeName.PROCESSES and bundles is None:
        raise typer.BadParameter("the process runtime needs the folder of the bundles", param_hint="--bundles")
    if bool(federated_issuer) != bool(federated_subject):
        raise typer.BadParameter(
            "the one needs the other; give both", param_hint="--federated-issuer, --federated-subject"
        )
    login = None
    if registry is not None and registry_username:
        login = RegistryLogin(registry, registry_username, os.environ.get(PASSWORD_VARIABLE, ""))

    def new_runtime(logs_dir: Path, emulator_id: str) -> Runtime:
        if bundles is not None and runtime is RuntimeName.PROCESSES:
            return ProcessRuntime(bundles.resolve(), logs_dir, emulator_id)
        return ContainerRuntime(logs_dir, emulator_id, login)

    pace = Pace(real_delays=True, grace_s=30.0) if real_delays else Pace()
    settings = Settings(
        state_dir=state_dir,
        new_runtime=new_runtime,
        env_file=env_file,
        pace=pace,
        seed=seed,
        operation_s=operation_seconds,
        core_quota=core_quota,
        registry=registry,
        foreign_registries=tuple(foreign_registry or ()),
        federated=tuple(
            FederatedCredential(issuer, subject)
            for issuer, subject in product(federated_issuer or (), federated_subject or ())
        ),
    )
    try:
        uvloop.run(serve(settings, announce=lambda lines: typer.echo(lines, nl=False)))
    except (NoEngineError, RegistryNameError, StateDirInUseError, UnreadableStateError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
