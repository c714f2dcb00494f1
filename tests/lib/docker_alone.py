"""The image as the head of service/Dockerfile says to build it: with no more than Docker."""

import os
import shlex
import shutil
import subprocess
from pathlib import Path

from deployment.image import choose_base_image, choose_building_client, choose_ca_bundle
from tests.lib.emulator import REPOSITORY


def build_with_docker_alone(model_dir: Path, folder: Path) -> str:
    """Copy what that needs into the folder, build there, and return the image's id."""
    said = next(
        line for line in (REPOSITORY / "service" / "Dockerfile").read_text().splitlines() if "docker build" in line
    )
    for path in ("service", "requirements", ".dockerignore"):
        copy = shutil.copytree if (REPOSITORY / path).is_dir() else shutil.copy
        copy(REPOSITORY / path, folder / path)
    shutil.copytree(model_dir, folder / "artifacts" / "model-1")
    _, build, *arguments, context = shlex.split(said.lstrip("# "))
    base_image, ca_bundle = choose_base_image(), choose_ca_bundle()
    arguments += ["--build-arg", f"BASE_IMAGE={base_image}"] if base_image else []
    arguments += ["--secret", f"id=ca_bundle,src={ca_bundle}"] if ca_bundle else []
    arguments += ["--iidfile", str(folder / "id")]
    done = subprocess.run(
        [choose_building_client(), build, *arguments, context],
        cwd=folder,
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return (folder / "id").read_text()
