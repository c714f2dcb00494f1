"""All that the control plane's routes call, put together."""

from dataclasses import dataclass, field
from pathlib import Path

from deployment.emulator.assets import Assets
from deployment.emulator.autoscale import Autoscale
from deployment.emulator.blobs import Blob, Blobs
from deployment.emulator.calls import Calls
from deployment.emulator.clock import Clock
from deployment.emulator.colours import Colours
from deployment.emulator.deployments import Deployments
from deployment.emulator.downloads import Downloads
from deployment.emulator.endpoints import Endpoints
from deployment.emulator.entities import Environment, Files, Workspace
from deployment.emulator.faults import Faults
from deployment.emulator.operations import Operations
from deployment.emulator.quota import CoreQuota
from deployment.emulator.registries import Registries
from deployment.emulator.store import Store
from deployment.emulator.tokens import Tokens


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """What a backend is told.

    operation_s is how long an operation takes besides its work; core_quota None is no limit.
    """

    state_dir: Path
    workspace: Workspace = field(default_factory=Workspace)
    seed: int | None = None
    operation_s: float = 0.0
    core_quota: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """All that the routes call."""

    endpoints: Endpoints
    deployments: Deployments
    environments: Assets[Environment]
    models: Assets[Files]
    codes: Assets[Files]
    blobs: Blobs
    operations: Operations
    tokens: Tokens
    faults: Faults
    calls: Calls
    colours: Colours
    clock: Clock
    quota: CoreQuota
    registries: Registries
    autoscale: Autoscale


def make_backend(
    settings: BackendSettings, store: Store, colours: Colours, clock: Clock, registries: Registries
) -> Backend:
    """Put a backend together over what is stored and what runs."""
    faults, tokens = Faults(settings.seed), Tokens(clock)
    operations = Operations(store, clock, settings.workspace.workspace_id, faults, settings.operation_s)
    environments = Assets("Environment", store.environments)
    models = Assets("Model", store.collection("models", Files, _key))
    codes = Assets("Code", store.collection("codes", Files, _key))
    kept = store.collection("blobs", Blob, lambda each: (each.container, each.path))
    blobs = Blobs(settings.state_dir / "blobs", kept, clock)
    container = settings.workspace.blob_container
    downloads = Downloads(settings.state_dir / "downloads", blobs, models, codes, container)
    quota = CoreQuota(store, settings.core_quota)
    return Backend(
        endpoints=Endpoints(store, operations, colours, tokens, clock),
        deployments=Deployments(store, operations, colours, environments, downloads, quota, clock),
        environments=environments,
        models=models,
        codes=codes,
        blobs=blobs,
        operations=operations,
        tokens=tokens,
        faults=faults,
        calls=Calls(),
        colours=colours,
        clock=clock,
        quota=quota,
        registries=registries,
        autoscale=Autoscale(store, settings.workspace),
    )


def _key(files: Files) -> tuple[str, str]:
    return files.name, files.version
