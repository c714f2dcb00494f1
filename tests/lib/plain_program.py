"""A program of the azure-ai-ml SDK as anybody might write it: it knows a config.json, and nothing of the emulator.

Usage: plain_program.py deploy IMAGE CODE_FOLDER MODEL_FOLDER | ask | tidy
"""

import json
import sys
import tempfile
from pathlib import Path

from azure.ai.ml import MLClient
from azure.ai.ml.entities import CodeConfiguration, Environment, ManagedOnlineDeployment, ManagedOnlineEndpoint, Model
from azure.identity import DefaultAzureCredential

ROUTE = {"path": "/", "port": 8003}


def deploy(client: MLClient, image: str, code: str, model: str) -> None:
    """Deploy a model with its scoring script and give it all traffic."""
    endpoint = ManagedOnlineEndpoint(name="plain", auth_mode="key", tags={"team": "plain"})
    client.online_endpoints.begin_create_or_update(endpoint).result()
    routes = {"liveness_route": ROUTE, "readiness_route": ROUTE, "scoring_route": {"path": "/score", "port": 8003}}
    deployment = ManagedOnlineDeployment(
        name="blue",
        endpoint_name="plain",
        model=Model(path=model),
        code_configuration=CodeConfiguration(code=code, scoring_script="score.py"),
        environment=Environment(image=image, inference_config=routes),
        instance_type="Standard_DS3_v2",
        instance_count=1,
    )
    client.online_deployments.begin_create_or_update(deployment).result()
    endpoint.traffic = {"blue": 100}
    client.online_endpoints.begin_create_or_update(endpoint).result()


def ask(client: MLClient) -> object:
    """Answer what the endpoint is and what it scores."""
    endpoint = client.online_endpoints.get("plain")
    deployments = [each.name for each in client.online_deployments.list("plain")]
    with tempfile.TemporaryDirectory() as folder:
        request = Path(folder, "request.json")
        request.write_text('{"x": 21}')
        scored = json.loads(client.online_endpoints.invoke("plain", request_file=str(request)))
    key = client.online_endpoints.get_keys("plain").primary_key
    return {
        "tags": endpoint.tags,
        "traffic": endpoint.traffic,
        "deployments": deployments,
        "scored": scored,
        "key": key,
        "models": [each.name for each in client.models.list()],
    }


def main(verb: str, *arguments: str) -> None:
    """Do one thing and print what came of it on the last line."""
    client = MLClient.from_config(credential=DefaultAzureCredential())
    result: object = None
    if verb == "deploy":
        deploy(client, *arguments)
    elif verb == "ask":
        result = ask(client)
    else:
        client.online_endpoints.begin_delete("plain").result()
        result = [each.name for each in client.online_endpoints.list()]
    sys.stdout.write("\n" + json.dumps(result) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
