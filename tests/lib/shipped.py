"""The files that a fork edits, as the template ships them: tests run with these, whatever a fork made of its own."""

import os
from collections.abc import Mapping

from deployment.manifests import read_image_name
from tests.lib.emulator import REPOSITORY

# The commands read deployment/endpoint.yml and so on from where they are started.
SHIPPED = REPOSITORY / "tests" / "shipped"
ENDPOINT_FILE = SHIPPED / "deployment" / "endpoint.yml"
DEPLOYMENT_FILE = SHIPPED / "deployment" / "deployment.yml"
SETTINGS_FILE = SHIPPED / "deployment" / "release.toml"
IMAGE_NAME = read_image_name(DEPLOYMENT_FILE)


def started_there(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with which `python -m deployment` can be started in that folder."""
    return {
        **environment,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(REPOSITORY), environment.get("PYTHONPATH")))),
    }
