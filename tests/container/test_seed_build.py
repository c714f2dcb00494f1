"""deployment/sdk/build_byoc_image.sh: an image, built by a Docker Engine and pushed to a registry on this machine."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.lib.emulator import REPOSITORY
from tests.lib.programs import put_program
from tests.lib.registry import running_registry
from tests.lib.service_container import docker

pytestmark = pytest.mark.container

BUILD = REPOSITORY / "deployment" / "sdk" / "build_byoc_image.sh"
VERSION = "of-the-seed-tests"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


def test_the_script_builds_the_image_pushes_it_and_prints_it_as_the_registry_has_it(tmp_path: Path) -> None:
    model = tmp_path / "model"
    train = [sys.executable, "-m", "model", "train", "--version", VERSION, "--output", str(model)]
    subprocess.run(train, cwd=REPOSITORY, check=True, capture_output=True)
    own = tmp_path / "deployment.yml"
    own.write_text("environment:\n  name: byoc-seed-own\n")
    asked = put_program(tmp_path / "bin", "az", prints="Login Succeeded\n")
    with running_registry(tmp_path, is_open=True) as registry:
        name = f"{registry.host}/byoc-seed-tests"
        variables = {"MODEL_DIR": str(model), "ACR_LOGIN_SERVER": registry.host, "IMAGE_NAME": "byoc-seed-tests"}
        variables["DEPLOYMENT_FILE"] = str(own)
        path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
        environment = {**os.environ, **variables, "IMAGE_TAG": "first", "PATH": path}
        try:
            ran = subprocess.run([BUILD, "--push"], env=environment, capture_output=True, text=True, check=False)
            assert ran.returncode == 0, ran.stderr
            reference = ran.stdout.splitlines()[-1]
            assert re.fullmatch(rf"{re.escape(name)}@sha256:[0-9a-f]{{64}}", reference)
            assert asked.read_text(encoding="utf-8").split() == ["acr", "login", "--name", registry.host]
            with httpx.Client(trust_env=False) as client:
                url = f"http://{registry.host}/v2/byoc-seed-tests/manifests/first"
                answer = client.head(url, headers={"accept": MANIFEST}).raise_for_status()
            assert answer.headers["docker-content-digest"] == reference.partition("@")[2]
            labels = docker("image", "inspect", "--format", "{{json .Config.Labels}}", reference)
            assert f'"org.opencontainers.image.version":"{VERSION}"' in labels
            environment["IMAGE_NAME"] = ""
            tagged = subprocess.run([BUILD], env=environment, capture_output=True, text=True, check=True)
            assert tagged.stdout.startswith("byoc-seed-own@sha256:")
            assert f"is tagged {registry.host}/byoc-seed-own:first, and not pushed" in tagged.stderr
        finally:
            built = docker("image", "ls", "--quiet", "--no-trunc", f"byoc-seed-own:{VERSION}").strip()
            if built:
                docker("image", "rm", "--force", built)
