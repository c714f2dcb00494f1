"""Preflight with the real SDK, run as a child process whose environment leads to an emulator.

Usage: preflight_program.py IMAGE ENDPOINT_FILE DEPLOYMENT_FILE; writes its checks as a JSON list on its last line.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from deployment.azureml import AzureML, workspace_from
from deployment.cli_upkeep import run_preflight
from deployment.releasing import Paths


def main(image: str, endpoint_file: str, deployment_file: str) -> None:
    """Run preflight for an image."""
    paths = Paths(endpoint_file=Path(endpoint_file), deployment_file=Path(deployment_file))
    azure = AzureML(
        workspace_from(os.environ), endpoint_file=paths.endpoint_file, deployment_file=paths.deployment_file
    )
    checks = run_preflight(azure, paths, image)
    sys.stdout.write("\n" + json.dumps([asdict(each) for each in checks]) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
