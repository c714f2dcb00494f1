"""A blue/green release by the unmodified SDK, run as a child process that knows the emulator by its environment alone.

Usage: sdk_scenario.py IMAGE; writes what it saw as one JSON object on its last line.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from azure.ai.ml import MLClient, load_online_deployment
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential

DEPLOYMENT_YAML = """
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: {name}
endpoint_name: diabetes
environment:
  name: diabetes-byoc
  image: {image}
  inference_config:
    liveness_route: {{path: /, port: 8003}}
    readiness_route: {{path: /, port: 8003}}
    scoring_route: {{path: /score, port: 8003}}
environment_variables: {{NAME: {name}}}
instance_type: Standard_DS3_v2
instance_count: 1
request_settings: {{request_timeout_ms: 3000, max_concurrent_requests_per_instance: 4}}
tags: {{release: "1"}}
"""


def main(image: str) -> None:
    """Create an endpoint, deploy two colours, split, read keys and logs, be refused, delete."""
    client = MLClient(
        DefaultAzureCredential(),
        os.environ["AZURE_SUBSCRIPTION_ID"],
        os.environ["AZURE_RESOURCE_GROUP"],
        os.environ["AZUREML_WORKSPACE_NAME"],
        enable_telemetry=False,
    )
    seen: dict[str, Any] = {"absent": refusal(lambda: client.online_endpoints.get("diabetes"))}
    endpoint = ManagedOnlineEndpoint(name="diabetes", auth_mode="key", tags={"owner": "tests"})
    seen["scoring_uri"] = client.online_endpoints.begin_create_or_update(endpoint).result().scoring_uri

    for name in ("blue", "green"):
        deployed = deploy(client, name, image)
        seen[name] = {
            "state": deployed.provisioning_state,
            "tags": deployed.tags,
            "image_id": deployed.environment,
            "request_timeout_ms": deployed.request_settings.request_timeout_ms,
            "period": deployed.readiness_probe.period,
        }
    seen["traffic"] = set_traffic(client, {"blue": 90, "green": 10})
    seen["over_100"] = refusal(lambda: set_traffic(client, {"blue": 90, "green": 20}))
    seen["unknown"] = refusal(lambda: set_traffic(client, {"blue": 90, "red": 10}))
    seen["mirror"] = refusal(lambda: set_mirror(client))
    keys = client.online_endpoints.get_keys("diabetes")
    seen["keys"] = [len(keys.primary_key), len(keys.secondary_key)]
    client.online_endpoints.begin_regenerate_keys("diabetes", key_type="primary").result()
    seen["primary_changed"] = client.online_endpoints.get_keys("diabetes").primary_key != keys.primary_key
    seen["invoked"] = json.loads(invoke(client))
    seen["logs"] = client.online_deployments.get_logs("green", "diabetes", lines=50)
    seen["initializer_logs"] = client.online_deployments.get_logs(
        "green", "diabetes", lines=50, container_type="storage-initializer"
    )
    seen["listed"] = sorted(each.name for each in client.online_deployments.list("diabetes"))
    seen["endpoints"] = [each.name for each in client.online_endpoints.list()]
    seen["bad_image"] = refusal(lambda: deploy(client, "red", "tiny@sha256:" + "0" * 64))
    seen["bad_image_again"] = refusal(lambda: deploy(client, "red", image))
    client.online_deployments.begin_delete("red", "diabetes").result()
    seen["delete_live"] = refusal(lambda: client.online_deployments.begin_delete("green", "diabetes").result())
    set_traffic(client, {"blue": 100, "green": 0})
    client.online_deployments.begin_delete("green", "diabetes").result()
    seen["after_delete"] = sorted(each.name for each in client.online_deployments.list("diabetes"))
    client.online_endpoints.begin_delete("diabetes").result()
    seen["gone"] = refusal(lambda: client.online_endpoints.get("diabetes"))
    sys.stdout.write("\n" + json.dumps(seen) + "\n")


def deploy(client: MLClient, name: str, image: str) -> ManagedOnlineDeployment:
    """Deploy from YAML, as the release does."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "deployment.yml")
        path.write_text(DEPLOYMENT_YAML.format(name=name, image=image))
        deployment = load_online_deployment(path)
    return client.online_deployments.begin_create_or_update(deployment).result()


def set_traffic(client: MLClient, traffic: dict[str, int]) -> dict[str, int]:
    """Get, change, put."""
    endpoint = client.online_endpoints.get("diabetes")
    endpoint.traffic = traffic
    return dict(client.online_endpoints.begin_create_or_update(endpoint).result().traffic)


def set_mirror(client: MLClient) -> None:
    """Ask for a mirror of what already gets live traffic."""
    endpoint = client.online_endpoints.get("diabetes")
    endpoint.mirror_traffic = {"green": 10}
    client.online_endpoints.begin_create_or_update(endpoint).result()


def invoke(client: MLClient) -> str:
    """Invoke the green deployment."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "request.json")
        path.write_text('{"data": [[1]]}')
        return str(client.online_endpoints.invoke("diabetes", deployment_name="green", request_file=str(path)))


def refusal(action: Any) -> list[object]:
    """Answer the exception's class, status and code of an action that must fail."""
    try:
        action()
    except ResourceNotFoundError as error:
        return ["ResourceNotFoundError", error.status_code, *told(error)]
    except HttpResponseError as error:
        return ["HttpResponseError", error.status_code, *told(error)]
    raise AssertionError("not refused")


def told(error: HttpResponseError) -> list[object]:
    """Answer the code and the message of Azure's error document."""
    assert error.error is not None
    return [error.error.code, error.error.message]


if __name__ == "__main__":
    main(sys.argv[1])
