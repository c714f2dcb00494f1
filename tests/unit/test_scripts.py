"""The scripts behind `make audit` and `make lint-workflows`."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.lib.emulator import REPOSITORY

pytestmark = pytest.mark.unit

KNOWN = {
    "id": "OSV-2026-1",
    "summary": "reads what it should not",
    "affected": [
        {
            "package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.0"}]}],
        }
    ],
}


@contextmanager
def osv_service(*, vulnerable: str = "", broken: bool = False) -> Iterator[tuple[str, set[str]]]:
    """Yield the address of a service that knows of one package, and the names that it was asked for."""
    asked: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # an answer is one segment: of two, the second one would wait

        def do_POST(self) -> None:
            name = json.loads(self.rfile.read(int(self.headers["content-length"])))["package"]["name"]
            asked.add(name)
            content = json.dumps({"vulns": [KNOWN]} if name == vulnerable else {}).encode()
            self.send_response(503 if broken else 200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/query", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def audit(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    service = {"PIP_AUDIT_VULNERABILITY_SERVICE": "osv", "PIP_AUDIT_OSV_URL": url, "NO_PROXY": "127.0.0.1"}
    environment = {**os.environ, **service, "AUDIT_ARGS": f"--cache-dir {folder}"}
    command = [REPOSITORY / "scripts" / "audit.sh"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def locked(lock: Path) -> set[str]:
    """Return the packages that a lock has for every platform and Python."""
    lines = lock.read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([a-z0-9._-]+)(?:\[[^\]]*\])?==[^;]+$", line.removesuffix(" \\")) for line in lines)
    return {each[1] for each in found if each}


def test_an_audit_looks_up_every_locked_package_and_ends_well_where_nothing_is_known(tmp_path: Path) -> None:
    with osv_service() as (url, asked):
        ended = audit(url, tmp_path)
    assert ended.returncode == 0, ended.stderr
    everything = set().union(*(locked(lock) for lock in (REPOSITORY / "requirements").glob("*.txt")))
    assert len(everything) > 100
    assert everything - asked == set()
    told = f"audit: {len(asked)} packages of this platform and Python looked up; known vulnerabilities: 0"
    assert told in ended.stdout


def test_an_audit_names_what_is_known_and_what_mends_it(tmp_path: Path) -> None:
    with osv_service(vulnerable="jinja2") as (url, _):
        ended = audit(url, tmp_path)
    assert ended.returncode == 1
    assert re.search(r"^jinja2 3\S+: OSV-2026-1, mended in 99.0: reads what it should not$", ended.stdout, re.MULTILINE)
    assert "known vulnerabilities: 1" in ended.stdout


def test_an_audit_that_could_not_look_anything_up_is_no_good_news(tmp_path: Path) -> None:
    with osv_service(broken=True) as (url, _):
        ended = audit(url, tmp_path)
    assert ended.returncode == 1
    assert "audit: pip-audit ended with code 1 and looked nothing up" in ended.stderr
    assert "known" not in ended.stdout


def test_lint_knows_one_word(tmp_path: Path) -> None:
    command = [str(REPOSITORY / "scripts" / "lint.sh"), "workflow"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == "lint: 'workflow' is not known; give nothing, or workflows\n"
