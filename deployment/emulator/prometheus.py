"""What a Prometheus on this machine asks: whom to scrape, and the figures of the data plane."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deployment.emulator.colours import Colours
from deployment.emulator.store import Store
from deployment.emulator.traffic_metrics import TrafficMetrics

PREFIX = "/_emulator/prometheus/"
METRICS = PREFIX + "metrics"
LOOPBACK = "127.0.0.1"


def prometheus_app(store: Store, colours: Colours, metrics: TrafficMetrics, port: int) -> Starlette:
    """Answer an application beside the data plane; port is that of both.

    Without a token: on loopback, it tells names, ports and counts.
    """

    async def targets(_: Request) -> Response:
        found: list[dict[str, Any]] = [
            {
                "targets": [f"{LOOPBACK}:{port}"],
                "labels": {"job": "emulator", "__metrics_path__": METRICS},
            }
        ]
        for (endpoint, deployment), colour in sorted(colours.all_serving().items()):
            ports = [each.metrics_port for each in colour.instances if each.ready and each.metrics_port]
            if ports:
                labels = {"endpoint": endpoint, "deployment": deployment}
                found.append({"targets": [f"{LOOPBACK}:{each}" for each in ports], "labels": labels})
        return JSONResponse(found)

    async def figures(_: Request) -> Response:
        shares = {
            each.name: {**dict.fromkeys((of.name for of in store.deployments(each.name)), 0), **each.traffic}
            for each in store.endpoints()
        }
        return PlainTextResponse(metrics.text(shares), media_type="text/plain; version=0.0.4")

    return Starlette(routes=[Route(PREFIX + "targets", targets), Route(METRICS, figures)])
