"""Preflight with the real SDK, run as a child process whose environment leads to an emulator.

It stays, since the SDK takes seconds to be loaded: each line of its input is a JSON list IMAGE, ENDPOINT_FILE,
DEPLOYMENT_FILE, and is answered by a line with the checks as a JSON list.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from deployment.azureml import AzureML, workspace_from
from deployment.cli_upkeep import run_preflight
from deployment.releasing import Paths


def checks_of(image: str, endpoint_file: str, deployment_file: str) -> str:
    """Run preflight for an image, with a client of its own."""
    paths = Paths(endpoint_file=Path(endpoint_file), deployment_file=Path(deployment_file))
    azure = AzureML(
        workspace_from(os.environ), endpoint_file=paths.endpoint_file, deployment_file=paths.deployment_file
    )
    return json.dumps([asdict(each) for each in run_preflight(azure, paths, image)])


def main() -> None:
    """Answer each line until the input ends."""
    for line in sys.stdin:
        sys.stdout.write(checks_of(*json.loads(line)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
