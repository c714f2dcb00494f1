"""deployment.azure_checks' client of Azure Container Registry against registries that only answer in this process.

Usage: acr_program.py; writes what came of each case, and what was asked for it, as one JSON object on its last line.
"""

import base64
import hashlib
import io
import json
import sys
from typing import Any

import requests
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from deployment.azure_checks import acr_has_image
from deployment.outcomes import PlatformError
from deployment.registry import ImageReference

MANIFEST = b'{"schemaVersion": 2}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
CHALLENGE = 'Bearer realm="https://mine.azurecr.io/oauth2/token",service="mine.azurecr.io",scope="repository:app:pull"'
CLAIMS = base64.urlsafe_b64encode(b'{"exp": 9999999999}').decode().rstrip("=")
REFRESH_TOKEN = f"e30.{CLAIMS}.x"


class Registry(BaseAdapter):
    """Answers as a registry does: a challenge, two exchanges of tokens, and then as it is told."""

    def __init__(self, status: int, headers: dict[str, str]) -> None:
        super().__init__()
        self._told = status, headers
        self.asked: list[str] = []

    def send(self, request: Any, **_: Any) -> requests.Response:  # type: ignore[override]  # none of its options count
        status, headers, body = self._answer(request)
        self.asked.append(f"{request.method} {request.url.partition('?')[0]} {status}")
        raw = HTTPResponse(body=io.BytesIO(body), headers=headers, status=status, preload_content=False)
        response = requests.Response()
        response.status_code, response.raw, response.url, response.request = status, raw, request.url, request
        response.headers.update(headers)
        return response

    def close(self) -> None:
        """There is nothing to close."""

    def _answer(self, request: Any) -> tuple[int, dict[str, str], bytes]:
        as_json = {"content-type": "application/json"}
        url = request.url.partition("?")[0]
        if url.endswith("/oauth2/exchange"):
            assert "token-of-entra" in request.body
            return 200, as_json, json.dumps({"refresh_token": REFRESH_TOKEN}).encode()
        if url.endswith("/oauth2/token"):
            return 200, as_json, json.dumps({"access_token": "token-of-registry"}).encode()
        if request.headers.get("Authorization") != "Bearer token-of-registry":
            return 401, {"WWW-Authenticate": CHALLENGE, **as_json}, b"{}"
        status, headers = self._told
        body = MANIFEST if status == requests.codes.ok else b'{"errors": [{"code": "TOLD", "message": "told"}]}'
        described = {"content-type": "application/vnd.oci.image.manifest.v1+json", "content-length": str(len(body))}
        return status, {**described, "docker-content-digest": DIGEST, **headers}, body


class Credential:
    """Whoever runs preflight."""

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("token-of-entra", 9999999999)


def case(status: int, headers: dict[str, str]) -> dict[str, Any]:
    """Ask a registry that answers so."""
    registry = Registry(status, headers)
    session = requests.Session()
    session.mount("https://", registry)
    transport: Any = RequestsTransport(session=session, session_owner=False)
    result: Any
    try:
        result = acr_has_image(ImageReference("mine.azurecr.io", "app", DIGEST), Credential(), transport=transport)
    except PlatformError as error:
        result = str(error)
    return {"result": result, "asked": registry.asked}


def main() -> None:
    """Try every answer."""
    cases = {
        "there": case(200, {}),
        "missing": case(404, {}),
        "refused": case(403, {}),
        "unfit": case(200, {"content-length": ""}),
        "elsewhere": case(307, {"location": "https://elsewhere.example/steal"}),
    }
    sys.stdout.write("\n" + json.dumps(cases) + "\n")


if __name__ == "__main__":
    main()
