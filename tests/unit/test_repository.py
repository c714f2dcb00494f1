"""What holds for the repository as a whole: who may import whom, and what no file may say."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
PARTS = ("service", "model", "load", "deployment", "pipeline")
ALLOWED = {("deployment", "load"), ("pipeline", "deployment")}

# Written apart, so that this file does not say them either.
REGISTRIES = ("files.python" + "hosted.org", "py" + "pi.org", "deb.deb" + "ian.org", "registry.npm" + "js.org")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root|work|home/\w+)/")


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listing.split("\0") if name and not name.endswith(".png")]


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("part", PARTS)
def test_parts_import_only_what_the_architecture_allows(part: str) -> None:
    foreign = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / part).rglob("*.py")
        for name in imports_of(path)
        if (other := name.partition(".")[0]) in PARTS and other != part and (part, other) not in ALLOWED
    }
    assert not foreign


def test_the_pipeline_needs_nothing_but_the_standard_library_and_two_modules_beside_it() -> None:
    beside = ("github", "endpoint_name")
    foreign = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in [*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "deployment" / f"{each}.py" for each in beside)]
        for name in imports_of(path)
        if (part := name.partition(".")[0]) != "pipeline" and part not in sys.stdlib_module_names
        if not name.startswith(tuple(f"deployment.{each}" for each in beside))
    }
    assert not foreign


def test_nothing_but_the_emulator_itself_imports_the_emulator() -> None:
    emulator = ROOT / "deployment" / "emulator"
    outside = [path for part in PARTS for path in (ROOT / part).rglob("*.py") if not path.is_relative_to(emulator)]
    importers = [path for path in outside if any(name.startswith("deployment.emulator") for name in imports_of(path))]
    assert not importers


def test_few_modules_alone_import_the_azure_sdk() -> None:
    importers = {
        str(path.relative_to(ROOT))
        for part in PARTS
        for path in (ROOT / part).rglob("*.py")
        if any(name == "azure" or name.startswith("azure.") for name in imports_of(path))
    }
    assert importers == {
        "deployment/azure_checks.py",
        "deployment/azure_errors.py",
        "deployment/azureml.py",
        "deployment/credentials.py",
        "service/telemetry_azure.py",  # Azure Monitor's exporter, where that is on
    }


@pytest.mark.parametrize("path", tracked_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_names_a_package_registry_or_a_path_of_somebodys_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not [host for host in REGISTRIES if host in text]
    assert not MACHINE_PATH.findall(text)
