"""What the conformance suite deploys: a server that says what the platform gave it, and runs a scoring script if any.

Usage: app.py PORT [ADDRESS]. GET / is the probe. POST /score answers {"name", "body", "model", "script"}: the variable
NAME, the request's body, the files under AZUREML_MODEL_DIR with their text, and what run(body) of the scoring script
answers.
"""

import importlib.util
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Answers every path alike."""

    protocol_version = "HTTP/1.1"
    script: Any = None

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer("", None)

    def do_POST(self) -> None:
        """Answer a POST."""
        body = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
        self._answer(body, Handler.script.run(body) if Handler.script else None)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Say nothing of single requests."""

    def _answer(self, body: str, script: object) -> None:
        said = {"name": os.environ.get("NAME", ""), "body": body, "model": model_files(), "script": script}
        content = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def model_files() -> dict[str, str]:
    """Answer the model's files by their paths in AZUREML_MODEL_DIR."""
    folder = os.environ.get("AZUREML_MODEL_DIR")
    if not folder:
        return {}
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def load_script() -> Any:
    """Load the scoring script as Azure ML's inference server does, and call its init()."""
    name = os.environ.get("AZUREML_ENTRY_SCRIPT")
    if not name:
        return None
    sys.path.insert(0, os.environ["AML_APP_ROOT"])
    spec = importlib.util.spec_from_file_location("scoring_script", Path(os.environ["AML_APP_ROOT"], name))
    if spec is None or spec.loader is None:
        raise SystemExit(f"scoring script {name} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.init()
    return module


if __name__ == "__main__":
    # The first process of a container has no default action for SIGTERM.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Handler.script = load_script()
    sys.stdout.write("conformance app starts\n")
    sys.stdout.flush()
    address = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
    ThreadingHTTPServer((address, int(sys.argv[1])), Handler).serve_forever()
