"""What is in an image, listed by syft as SPDX."""

import json
import sys
from pathlib import Path

from deployment.image import ImageError
from deployment.programs import MissingProgramError, ProgramError, run_program

SYFT = Path(sys.executable).with_name("syft")
TIMEOUT_S = 300.0


def list_contents(image_id: str, *, name: str, version: str, path: Path) -> int:
    """Write an image's packages to a file in SPDX's JSON, and return how many there are; raises ImageError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [str(SYFT), "scan", f"docker:{image_id}", "--source-name", name, "--source-version", version]
    command += ["--quiet", "--output", f"spdx-json={path}"]
    try:
        run_program(command, timeout_s=TIMEOUT_S, environ={"SYFT_CHECK_FOR_APP_UPDATE": "false"})
    except MissingProgramError as error:
        raise ImageError(f"{error}; `make env` installs it") from error
    except ProgramError as error:
        raise ImageError(f"image {image_id}: its contents cannot be listed. {error}") from error
    return len(json.loads(path.read_text(encoding="utf-8"))["packages"])
