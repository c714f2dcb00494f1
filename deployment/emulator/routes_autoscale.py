"""The routes of autoscale settings; whatever else there is of Microsoft.Insights is not emulated."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from deployment.emulator.autoscale import Autoscale, AutoscaleSetting
from deployment.emulator.calling import CallRoute
from deployment.emulator.entities import Workspace
from deployment.emulator.wire_autoscale import read_setting

GROUP = "/subscriptions/{s}/resourceGroups/{r}"
KIND = "Microsoft.Insights/autoscaleSettings"


class AutoscaleRoutes:
    """They put, list and delete settings."""

    def __init__(self, autoscale: Autoscale, workspace: Workspace) -> None:
        self._autoscale = autoscale
        self._workspace = workspace

    def routes(self) -> list[CallRoute]:
        """Answer the routes by name, each as documented and as Azure's own clients write it."""
        canonical = f"{GROUP}/providers/{KIND}"
        paths = (canonical, canonical.replace("resourceGroups", "resourcegroups").replace("scaleS", "scales"))
        return [
            route
            for path in paths
            for route in (
                CallRoute("autoscaleSettings.list", "GET", path, self._list),
                CallRoute("autoscaleSettings.get", "GET", path + "/{setting}", self._get),
                CallRoute("autoscaleSettings.put", "PUT", path + "/{setting}", self._put),
                CallRoute("autoscaleSettings.delete", "DELETE", path + "/{setting}", self._delete),
            )
        ]

    async def _list(self, _: Request) -> Response:
        return JSONResponse({"value": [self._document(each) for each in self._autoscale.all()]})

    async def _get(self, request: Request) -> Response:
        return JSONResponse(self._document(self._autoscale.get(request.path_params["setting"])))

    async def _put(self, request: Request) -> Response:
        wanted = read_setting(request.path_params["setting"], await request.body())
        is_new = self._autoscale.put(wanted)
        return JSONResponse(self._document(wanted), 201 if is_new else 200)

    async def _delete(self, request: Request) -> Response:
        return Response(status_code=200 if self._autoscale.remove(request.path_params["setting"]) else 204)

    def _document(self, setting: AutoscaleSetting) -> dict[str, Any]:
        return {
            "id": f"{self._workspace.group_id}/providers/{KIND}/{setting.name}",
            "name": setting.name,
            "type": KIND,
            "location": setting.location,
            "tags": dict(setting.tags),
            "properties": dict(setting.properties),
        }
