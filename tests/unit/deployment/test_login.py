"""Docker's login to a registry of Azure's."""

from pathlib import Path

import pytest

from deployment.login import log_in
from deployment.outcomes import BadInputError, PlatformError
from tests.lib.programs import put_program

pytestmark = pytest.mark.unit


@pytest.fixture
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return tmp_path / "bin"


def test_az_is_asked_for_the_registry_by_its_name(bin_dir: Path) -> None:
    asked = put_program(bin_dir, "az")
    log_in("mine.azurecr.io")
    assert asked.read_text().splitlines() == ["acr", "login", "--name", "mine"]


def test_a_registry_on_this_machine_is_asked_for_by_its_host(bin_dir: Path) -> None:
    asked = put_program(bin_dir, "az")
    log_in("127.0.0.1:5000")
    assert asked.read_text().splitlines() == ["acr", "login", "--name", "127.0.0.1:5000"]


def test_a_registry_of_this_machine_is_named_by_its_host(bin_dir: Path) -> None:
    asked = put_program(bin_dir, "az")
    log_in("127.0.0.1:5000")
    assert asked.read_text().splitlines()[-1] == "127.0.0.1:5000"


def test_what_az_refuses_is_told_with_the_roles_that_are_needed(bin_dir: Path) -> None:
    put_program(bin_dir, "az", complains="DENIED: a client without AcrPull", exit_code=1)
    with pytest.raises(
        PlatformError, match=r"az acr login --name mine: exit code 1: DENIED(.|\n)*role AcrPull on mine"
    ):
        log_in("mine.azurecr.io")


def test_without_az_the_way_to_get_it_is_told(bin_dir: Path) -> None:
    del bin_dir  # there is none
    with pytest.raises(BadInputError, match="az: No such file or directory; install the Azure CLI"):
        log_in("mine.azurecr.io")


@pytest.mark.parametrize("host", ["", "mine", "mine.azurecr.io/team", "docker.io", "https://mine.azurecr.io"])
def test_another_registry_than_azures_is_refused_before_az_is_asked(bin_dir: Path, host: str) -> None:
    asked = put_program(bin_dir, "az")
    with pytest.raises(BadInputError, match="no registry of Azure's"):
        log_in(host)
    assert not asked.exists()
