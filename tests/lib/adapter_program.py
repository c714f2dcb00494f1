"""The SDK's traps, walked into with the real SDK: run as a child process whose environment leads to an emulator.

Usage: adapter_program.py ENDPOINT_FILE IMAGE; writes what it saw as JSON on its last line.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from deployment.azure_errors import wait_for
from deployment.azureml import AzureML, workspace_from
from deployment.outcomes import ConflictError, PlatformError, TransientError
from deployment.platform import DeploymentRequest, Endpoint, Routing, require
from tests.lib.shipped import DEPLOYMENT_FILE

ALL_BLUE = Routing({"blue": 100})
MIRRORED = Routing({"blue": 100}, {"green": 20})


class NeverDone:
    """A poller of an operation that does not end; its result() breaks inside the SDK when a time-out is over."""

    def done(self) -> bool:
        return False

    def wait(self, _timeout_s: float) -> None:
        """Return at once."""

    def result(self) -> None:
        """Break as azure-ai-ml 1.35.2 does."""
        raise AttributeError("'NoneType' object has no attribute 'properties'")


def main(endpoint_file: str, image: str) -> None:
    """Create, deploy, route, scale, and be refused."""
    azure = AzureML(
        workspace_from(os.environ),
        endpoint_file=Path(endpoint_file),
        deployment_file=DEPLOYMENT_FILE,
    )
    azure.create_endpoint({"release_holder": "one"})
    for name in ("blue", "green"):
        azure.deploy(DeploymentRequest(name, image, {"release_id": "r-1"}))
    azure.write(ALL_BLUE, {"release_holder": "one"}, expected=[Routing({})], holders=["one"])
    azure.write(MIRRORED, {"release_holder": "two"}, expected=[ALL_BLUE], holders=["one"])
    mirrored = told(require(azure.observe()))
    azure.scale("green", 2)
    said: dict[str, Any] = {
        "mirrored": mirrored,
        "fenced": refused(lambda: azure.write(ALL_BLUE, {}, expected=[MIRRORED], holders=["one"])),
        "changed": refused(lambda: azure.write(ALL_BLUE, {}, expected=[ALL_BLUE], holders=["two"])),
        "after": told(require(azure.observe())),
        "overdue": refused(lambda: wait_for(NeverDone(), 0.0, TransientError)),
        "again": refused(lambda: azure.write(MIRRORED, {"release_holder": "two"}, expected=[], holders=[])),
    }
    azure.delete_endpoint()
    said["gone"] = azure.observe() is None
    azure.delete_endpoint()
    sys.stdout.write(json.dumps(said) + "\n")


def told(endpoint: Endpoint) -> dict[str, Any]:
    counts = {name: found.instance_count for name, found in endpoint.deployments.items()}
    tags, routing = dict(endpoint.tags), [dict(endpoint.traffic), dict(endpoint.mirror_traffic)]
    return {
        "tags": tags,
        "routing": routing,
        "instances": counts,
        "state": endpoint.provisioning_state,
        "scoring_uri": endpoint.scoring_uri,
    }


def refused(call: Any) -> str:
    try:
        call()
    except (ConflictError, PlatformError) as error:
        return f"{type(error).__name__}: {error}"
    return "done"


if __name__ == "__main__":
    main(*sys.argv[1:])
