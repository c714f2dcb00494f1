"""Where Prometheus comes from in CI: what skips the tests that need it, and what fails them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lib.monitoring_programs import put_on_path

pytestmark = pytest.mark.unit

UNREACHED = "echo 'E: Failed to fetch http://mirror.test/prometheus.deb' >&2; exit 100"
FETCHED = "touch prometheus_1_all.deb"
Put = Callable[..., None]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Return what puts apt's programs on PATH, which do as they are told, and no prometheus."""
    programs = tmp_path / "apt"
    programs.mkdir()
    for name in ("bash", "mkdir", "touch", "rm", "tar", "sed", "gzip"):
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("CI", "true")

    def put_them(*, download: str, update: str = "exit 0", show: str = "exit 0", unpack: str = "exit 1") -> None:
        scripts = {
            "apt-get": f"case $1 in download) {download};; update) {update};; esac",
            "apt-cache": show,
            "dpkg-deb": unpack,
        }
        for name, script in scripts.items():
            (programs / name).write_text(f"#!{shutil.which('bash')}\n{script}\n")
            (programs / name).chmod(0o755)

    return put_them


@pytest.mark.parametrize("update", ["exit 0", UNREACHED], ids=["the package", "its list"])
def test_what_apt_cannot_fetch_skips_and_says_so(
    update: str, put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(download=UNREACHED, update=update)
    with pytest.raises(pytest.skip.Exception, match=r"Failed to fetch http://mirror.test/.* try again later"):
        put_on_path(tmp_path / "programs", monkeypatch)


@pytest.mark.parametrize(
    "how",
    [{"download": "exit 100", "show": "exit 100"}, {"download": FETCHED}],
    ids=["no such package", "not that package"],
)
def test_a_package_that_is_not_there_or_another_fails(
    how: dict[str, str], put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(**how)
    with pytest.raises(AssertionError):
        put_on_path(tmp_path / "programs", monkeypatch)


def test_without_ci_nothing_is_fetched(put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(download=FETCHED)
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.skip.Exception, match="no prometheus on PATH"):
        put_on_path(tmp_path / "programs", monkeypatch)
    assert not (tmp_path / "programs").exists()


def test_what_was_fetched_is_on_path(put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = tmp_path / "content" / "usr" / "bin"
    content.mkdir(parents=True)
    for name in ("prometheus", "promtool"):
        (content / name).write_text("#!/bin/sh\n")
        (content / name).chmod(0o755)
    put(download=FETCHED, unpack=f"tar -c -C {tmp_path / 'content'} ./usr")
    put_on_path(tmp_path / "programs", monkeypatch)
    assert shutil.which("promtool") == str(tmp_path / "programs" / "promtool")
    assert not list((tmp_path / "programs").glob("*.deb"))
