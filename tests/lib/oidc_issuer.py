"""GitHub's issuer of ID tokens on loopback: what a job asks, and what whoever checks the tokens reads.

https://docs.github.com/actions/reference/security/oidc
"""

import base64
import contextlib
import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

REPOSITORY = "repo:acme@1/diabetes@2"
KEY_ID = "the-only-key"
LIFETIME_S = 300


def subject_of(environment: str) -> str:
    """Answer the subject of the ID tokens of jobs that use this environment of the repository."""
    return f"{REPOSITORY}:environment:{environment}"


def make_key() -> rsa.RSAPrivateKey:
    """Answer a new key to sign with."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class OidcIssuer:
    """A running issuer; a test may change what its next tokens say.

    age_s is how long ago they were given out, answer a status to refuse with, content an answer in place of a token.
    audiences has the audience of each token that was given out, in order, and tokens the tokens.
    """

    url: str
    environment: str = "production"
    subject: str | None = None
    lifetime_s: int = LIFETIME_S
    age_s: int = 0
    answer: int | None = None
    content: bytes | None = None
    request_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    key: rsa.RSAPrivateKey = field(default_factory=make_key)
    audiences: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    @property
    def request_url(self) -> str:
        """Where a job asks; as GitHub's, it has a query already. `&environment=` of it overrides the issuer's own."""
        return f"{self.url}/token?api-version=2.0"

    @property
    def variables(self) -> dict[str, str]:
        """What GitHub sets for a job that has the permission `id-token: write`."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": self.request_url,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.request_token,
        }

    @property
    def requests(self) -> int:
        """How many tokens have been given out."""
        return len(self.tokens)

    def token(self, audience: str, environment: str | None = None, **claims: Any) -> str:
        """Answer a token; further claims replace those that it would have."""
        issued = int(time.time()) - self.age_s
        said = {
            "iss": self.url,
            "sub": self.subject or subject_of(environment or self.environment),
            "aud": audience,
            "jti": secrets.token_hex(8),
            "iat": issued,
            "nbf": issued,
            "exp": issued + self.lifetime_s,
            **claims,
        }
        return self.sign({"alg": "RS256", "typ": "JWT", "kid": KEY_ID}, said)

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """Answer these as a JWT."""
        signed = f"{encode(json.dumps(header).encode())}.{encode(json.dumps(claims).encode())}"
        return f"{signed}.{encode(self.key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def documents(self) -> dict[str, Any]:
        """Answer what is published, by path."""
        numbers = self.key.public_key().public_numbers()
        parts = {"e": integer(numbers.e), "n": integer(numbers.n)}
        return {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/.well-known/jwks"},
            "/.well-known/jwks": {"keys": [{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": KEY_ID, **parts}]},
        }

    def respond(self, target: str, authorization: str) -> tuple[int, bytes]:
        """Answer a GET with a status and a body."""
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if path in self.documents():
            return HTTPStatus.OK, json.dumps(self.documents()[path]).encode()
        if path != "/token":
            return HTTPStatus.NOT_FOUND, b"{}"
        if self.answer is not None:
            return self.answer, b"{}"
        if authorization != f"bearer {self.request_token}":
            return HTTPStatus.UNAUTHORIZED, b'{"message": "the request token is wrong"}'
        if self.content is not None:
            return HTTPStatus.OK, self.content
        audience = query.get("audience", ["https://github.com/acme"])[0]
        self.audiences.append(audience)
        self.tokens.append(self.token(audience, query.get("environment", [None])[0]))
        return HTTPStatus.OK, json.dumps({"value": self.tokens[-1], "count": 1}).encode()


@contextlib.contextmanager
def running_issuer(environment: str = "production") -> Iterator[OidcIssuer]:
    """Run an issuer on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = issuer.respond(self.path, self.headers.get("authorization", ""))
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - http.server's name
            """Keep it off the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        issuer = OidcIssuer(f"http://127.0.0.1:{server.server_address[1]}", environment)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()


def integer(number: int) -> str:
    return encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
