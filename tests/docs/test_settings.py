"""Every setting and every environment variable is documented, and nothing is documented that there is not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployment.settings import read_settings
from deployment.settings_page import page, tables

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
CODE = ("service", "model", "load", "deployment", "pipeline")
PAGES = ("docs/environment.md", "service/README.md", "docs/workflows.md")
NAME = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
# What a process of ours sets for another one of ours, and what only looks like a variable.
WITHIN = {
    "AML_APP_ROOT": "the emulator sets it, as Azure ML does",
    "AZUREML_ENTRY_SCRIPT": "the emulator sets it, as Azure ML does",
    "AZUREML_MODEL_PATH": "score.init() sets it for its child",
    "BUILDX_NO_DEFAULT_ATTESTATIONS": "set for docker build",
    "CONNECTION_STRING": "a kind of secret that doctor masks",
    "DOCKER_BUILDKIT": "set for docker build",
    "ENDPOINT_KEY": "measure hands the key to its Locust processes by it",
    "GH_PAGER": "set for gh",
    "GH_PROMPT_DISABLED": "set for gh",
    "GUNICORN_CMD_ARGS": "set for azmlinfsrv",
    "LOCAL_AZUREML_INSTANCE": "the emulator knows its processes by it",
    "MENDED_BY_MORE": "in __all__",
    "MODEL_DIR": "a build argument",
    "MODEL_NAME": "a build argument",
    "MODEL_VERSION": "a build argument",
    "PYTHON_IN_VENV": "the Makefile's own",
    "MAKEFILE_LIST": "make's own",
    "REFUSED_STATUSES": "in __all__",
    "ROWS_KEY": "in __all__",
    "REPO_URI": "in /etc/apt",
    "SC_PAGE_SIZE": "a name of sysconf",
    "SC_PHYS_PAGES": "a name of sysconf",
    "SYFT_CHECK_FOR_APP_UPDATE": "set for syft",
    "TYPE_CHECKING": "in an import",
}


def names_in_code() -> Iterator[str]:
    for path in (path for part in CODE for path in (ROOT / part).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and NAME.fullmatch(node.value):
                yield node.value
    for path in (ROOT / "Makefile", *(ROOT / "scripts").glob("*.sh")):
        yield from re.findall(r"\$[{(]?([A-Z]\w+)", path.read_text(encoding="utf-8"))
    for path in (ROOT / "deployment").rglob("*.sh"):
        yield from re.findall(r"\$\{([A-Z]\w+):", path.read_text(encoding="utf-8"))


def names_in(file: str) -> set[str]:
    quoted = re.findall(r"`([^`\n]+)`", (ROOT / file).read_text(encoding="utf-8"))
    return {name for name in quoted if re.fullmatch(r"[A-Z][A-Z0-9_]+", name)}


def test_the_page_of_the_settings_is_what_the_models_say() -> None:
    written = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert written == page(), "python -m deployment.settings_page > docs/settings.md"


def test_every_setting_says_what_it_does() -> None:
    untold = [
        f"{name}.{key}"
        for name, model in tables()
        for key, field in model.model_fields.items()
        if not field.description
    ]
    assert not untold


def test_the_profiles_of_the_shipped_file_are_all_valid() -> None:
    shipped = ROOT / "deployment" / "release.toml"
    profiles = re.findall(r"^\[profiles\.([\w-]+)", shipped.read_text(encoding="utf-8"), re.MULTILINE)
    assert {"smoke", "standard", "soak", "demo"} <= set(profiles)
    for profile in profiles:
        read_settings(shipped, profile=profile)


@pytest.mark.parametrize("name", sorted({*names_in_code()} - {*WITHIN, "EUID", "PATH", "PWD"}))
def test_every_variable_that_the_code_reads_is_documented(name: str) -> None:
    assert name in set().union(*map(names_in, PAGES)), f"{name}: add it to docs/environment.md"


def test_no_variable_is_documented_that_the_code_does_not_know() -> None:
    elsewhere = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (*(ROOT / "tests").rglob("*.py"), *(ROOT / ".ci").glob("*"), *(ROOT / "deployment").rglob("*.sh"))
        if path != Path(__file__)
    )
    known = {*names_in_code()}
    assert not {name for name in names_in("docs/environment.md") if name not in known and name not in elsewhere}


def test_what_is_left_out_here_is_in_the_code() -> None:
    assert not {*WITHIN} - {*names_in_code()}
