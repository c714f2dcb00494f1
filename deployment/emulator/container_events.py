"""What getLogs tells of a container beside its output: how far its start came, and what happened to it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ContainerEvent:
    """One event of a container, with the names the platform logs (Pulling, Started, Killing, BackOff ...)."""

    time: datetime
    name: str
    kind: str
    message: str


@dataclass(slots=True)
class InstanceStatus:
    """How far the steps of a start came: Waiting, InProgress, Succeeded or Failed."""

    system_setup: str = "Succeeded"
    image_pull: str = "Waiting"
    model_download: str = "Waiting"
    container_start: str = "Waiting"
