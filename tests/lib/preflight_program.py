"""Preflight with the real SDK, run as a child process whose environment leads to an emulator.

Usage: preflight_program.py IMAGE ENDPOINT_FILE DEPLOYMENT_FILE; writes its checks as a JSON list on its last line.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from deployment.azure_checks import AzureCloud
from deployment.azureml import AzureML, workspace_from
from deployment.preflight import preflight


def main(image: str, endpoint_file: str, deployment_file: str) -> None:
    """Run preflight for an image."""
    workspace = workspace_from(os.environ)
    azure = AzureML(workspace, endpoint_file=Path(endpoint_file), deployment_file=Path(deployment_file))
    cloud = AzureCloud(azure.client, workspace, azure.endpoint_name)
    checks = preflight(
        cloud,
        image=image,
        endpoint_file=Path(endpoint_file),
        deployment_file=Path(deployment_file),
        deployment_names=("blue", "green"),
        observe=azure.observe,
        has_image=cloud.has_image,
    )
    sys.stdout.write("\n" + json.dumps([asdict(each) for each in checks]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
