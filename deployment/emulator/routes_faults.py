"""The emulator's own routes: faults, the list of calls, and an instance killed."""

from dataclasses import asdict
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployment.emulator.backend import Backend
from deployment.emulator.calling import CallRoute
from deployment.emulator.errors import BadRequestError, NotFoundError
from deployment.emulator.faults import ControlFault, EndOperation, Fault, PlacedFault, matches_call
from deployment.emulator.wire import Body, faults_of, parse, whole_number

FAULTS = "/_emulator/faults"
CALLS = "/_emulator/calls"
_FAULT: TypeAdapter[Any] = TypeAdapter(Fault)


class _KillBody(Body):
    endpoint: str
    deployment: str
    instance: int = Field(default=0, ge=0)


class FaultRoutes:
    """They place faults and tell what was called; known are the names of all other routes."""

    def __init__(self, backend: Backend, known: list[CallRoute]) -> None:
        self._backend = backend
        self._known = known

    def routes(self) -> list[CallRoute]:
        """Answer the routes; no fault strikes them and they are not in the list of calls."""
        return [
            CallRoute("", "GET", "/_emulator/routes", self._list_routes),
            CallRoute("", "GET", FAULTS, self._list_faults),
            CallRoute("", "POST", FAULTS, self._add_fault),
            CallRoute("", "DELETE", FAULTS, self._remove_faults),
            CallRoute("", "DELETE", FAULTS + "/{fault}", self._remove_fault),
            CallRoute("", "GET", CALLS, self._list_calls),
            CallRoute("", "DELETE", CALLS, self._remove_calls),
            CallRoute("", "POST", "/_emulator/kill", self._kill),
        ]

    async def _list_routes(self, _: Request) -> Response:
        routes = [{"call": each.call, "method": each.method, "path": each.path} for each in self._known]
        return JSONResponse({"value": routes})

    async def _list_faults(self, _: Request) -> Response:
        return JSONResponse({"value": [_describe(each) for each in self._backend.faults.all()]})

    async def _add_fault(self, request: Request) -> Response:
        try:
            fault = _FAULT.validate_json(await request.body())
        except ValidationError as error:
            raise BadRequestError(faults_of(error), code="InvalidRequestContent") from error
        if isinstance(fault, ControlFault):
            self._check_call(fault)
        return JSONResponse(_describe(self._backend.faults.add(fault)), 201)

    def _check_call(self, fault: ControlFault) -> None:
        is_of_operation = isinstance(fault.effect, EndOperation)
        names = {each.call for each in self._known if each.starts_operation or not is_of_operation}
        if not any(matches_call(fault, name) for name in names):
            what = "call that starts an operation" if is_of_operation else "call"
            raise BadRequestError(f"fault: there is no {what} '{fault.call}'; there are {', '.join(sorted(names))}")

    async def _remove_faults(self, _: Request) -> Response:
        self._backend.faults.clear()
        return Response(status_code=204)

    async def _remove_fault(self, request: Request) -> Response:
        name = request.path_params["fault"]
        number = whole_number(name)
        if number is None or self._backend.faults.remove(number) is None:
            raise NotFoundError(f"Fault '{name}' not found.")
        return Response(status_code=204)

    async def _list_calls(self, request: Request) -> Response:
        wanted = request.query_params.get("after", "0")
        after = whole_number(wanted)
        if after is None:
            raise BadRequestError(f"calls: after is not a number of at most 18 digits ('{wanted}')")
        return JSONResponse({"value": [asdict(each) for each in self._backend.calls.all(after=after)]})

    async def _remove_calls(self, _: Request) -> Response:
        self._backend.calls.clear()
        return Response(status_code=204)

    async def _kill(self, request: Request) -> Response:
        wanted = parse(_KillBody, await request.body())
        colour = self._backend.colours.serving(wanted.endpoint, wanted.deployment)
        if colour is None:
            raise NotFoundError(f"Deployment '{wanted.deployment}' of endpoint '{wanted.endpoint}' not found.")
        await colour.kill_instance(wanted.instance)
        return Response(status_code=204)


def _describe(placed: PlacedFault) -> dict[str, Any]:
    fault = _FAULT.dump_python(placed.fault, mode="json")
    return {"id": placed.id, "matched": placed.matched, "struck": placed.struck, "fault": fault}
