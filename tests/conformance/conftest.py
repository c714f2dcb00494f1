import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conformance.cloud import FOREIGN_REGISTRY, Cloud, connect
from tests.conformance.scorecard import Scorecard
from tests.lib.emulator import LEADING_ELSEWHERE, running_emulator, write_bundle
from tests.lib.emulator_control import EmulatorControl

HERE = Path(__file__).parent
BASE_IMAGE = os.environ.get("BASE_IMAGE", "byoc-base:trixie")
AZURE_VARIABLES = (
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_RESOURCE_GROUP",
    "AZUREML_WORKSPACE_NAME",
    "CONFORMANCE_IMAGE",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--conformance-report", type=Path, help="Write the suite's figure here and print its table.")
    parser.addoption("--conformance-runtime", default="processes", choices=["processes", "containers"])


def pytest_configure(config: pytest.Config) -> None:
    report = config.getoption("--conformance-report", None)
    if report is not None:
        config.pluginmanager.register(Scorecard(report, config.getoption("--conformance-runtime")), "scorecard")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test on the emulator, and on Azure too where there is a workspace or `-m azure` asks for it."""
    if "workspace" not in metafunc.fixturenames:
        return
    clouds = [pytest.param("emulator"), pytest.param("azure", marks=pytest.mark.azure)]
    is_asked_for = not missing_variables() or "azure" in metafunc.config.getoption("-m")
    metafunc.parametrize("workspace", clouds if is_asked_for else clouds[:1], indirect=True, scope="session")


@pytest.fixture(scope="session")
def runtime(request: pytest.FixtureRequest) -> str:
    return str(request.config.getoption("--conformance-runtime", "processes"))


@pytest.fixture(scope="session")
def workspace(
    request: pytest.FixtureRequest, runtime: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Cloud, Mapping[str, str]]]:
    """A workspace and the environment that leads to it."""
    if request.param == "azure":
        if missing := missing_variables():
            pytest.skip(f"needs an Azure workspace: {', '.join(missing)} not set")
        yield connect(os.environ, os.environ["CONFORMANCE_IMAGE"], "azure", None), {}
        return
    options = ("--foreign-registry", FOREIGN_REGISTRY)
    with (
        running_emulator(tmp_path_factory.mktemp("conformance"), runtime=runtime, options=options) as emulator,
        app_image(runtime, emulator.bundles_dir) as image,
        pytest.MonkeyPatch.context() as patch,
        EmulatorControl(emulator.variables) as control,
    ):
        lead_to(patch, emulator.variables)
        yield connect(emulator.variables, image, runtime, control), emulator.variables


@pytest.fixture
def cloud(
    workspace: tuple[Cloud, Mapping[str, str]], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Cloud]:
    """The workspace; the SDK reads the environment at every turn, so it is set for each test."""
    found, variables = workspace
    if variables:
        lead_to(monkeypatch, variables)
    found.called.clear()
    yield found
    request.node.user_properties.append(("operations", sorted(found.called)))


@pytest.fixture
def control(cloud: Cloud) -> EmulatorControl:
    """What only the emulator can be asked."""
    if cloud.control is None:
        pytest.skip("asks for what Azure does not offer: faults")
    return cloud.control


def missing_variables() -> list[str]:
    """Answer which of the variables that name an Azure workspace are not set."""
    return [name for name in AZURE_VARIABLES if not os.environ.get(name)]


def lead_to(patch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    """Make the environment lead to the emulator and nowhere else."""
    for name in os.environ:
        if name.startswith(LEADING_ELSEWHERE):
            patch.delenv(name)
    for name, value in variables.items():
        patch.setenv(name, value)


@contextmanager
def app_image(runtime: str, bundles_dir: Path) -> Iterator[str]:
    """Answer the suite's app as that runtime takes it; remove the image at the end."""
    if runtime == "processes":
        yield write_bundle(bundles_dir, (HERE / "app.py").read_text())
        return
    image_id = docker("build", "--quiet", "--build-arg", f"BASE_IMAGE={BASE_IMAGE}", str(HERE))
    yield f"conformance@{image_id}"
    docker("image", "rm", "--force", image_id)


def docker(*arguments: str) -> str:
    """Run the docker command and answer what it printed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
