"""What the groups of the control plane's routes have in common."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

WORKSPACE = "/subscriptions/{s}/resourceGroups/{r}/providers/Microsoft.MachineLearningServices/workspaces/{w}"
LOCATION = "/subscriptions/{s}/providers/Microsoft.MachineLearningServices/locations/{location}"
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class CallRoute:
    """A call by its name, e.g. `deployments.put`, where it is made, and whether it starts a long-running operation."""

    call: str
    method: str
    path: str
    handler: Handler
    starts_operation: bool = False
