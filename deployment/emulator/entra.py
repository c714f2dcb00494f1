"""Microsoft Entra's token endpoint (OAuth 2.0 client credentials, v2.0) for client assertions.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

import re
import uuid
from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployment.emulator.clock import Clock
from deployment.emulator.federation import EntraError, Federation
from deployment.emulator.tokens import LIFETIME_S, Tokens

# These paths go to entra_app, all others to the control plane.
PATHS = re.compile(r"/[^/]+/(?:oauth2/v2\.0/token|v2\.0/\.well-known/openid-configuration)")
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DEFAULT = "/.default"


def entra_app(tokens: Tokens, federation: Federation, clock: Clock, url: str) -> Starlette:
    """Answer an application that exchanges assertions for tokens; url is where it is served."""

    async def configuration(request: Request) -> Response:
        tenant = f"{url}/{request.path_params['tenant']}"
        return JSONResponse(
            {
                "issuer": f"{tenant}/v2.0",
                "token_endpoint": f"{tenant}/oauth2/v2.0/token",
                # A document without it is refused; nobody can sign in there by a browser.
                "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            }
        )

    async def token(request: Request) -> Response:
        try:
            resource = await _resource_for(federation, dict(parse_qsl((await request.body()).decode("latin-1"))))
        except EntraError as error:
            return _refused(error, clock)
        issued = tokens.issue(resource).value
        lifetimes = {"expires_in": LIFETIME_S, "ext_expires_in": LIFETIME_S}
        return JSONResponse({"token_type": "Bearer", **lifetimes, "access_token": issued})

    return Starlette(
        routes=[
            Route("/{tenant}/v2.0/.well-known/openid-configuration", configuration, methods=["GET"]),
            Route("/{tenant}/oauth2/v2.0/token", token, methods=["POST"]),
        ]
    )


async def _resource_for(federation: Federation, form: Mapping[str, str]) -> str:
    """Answer what the token is to open, or raise EntraError."""
    if missing := [name for name in ("grant_type", "client_id", "scope") if not form.get(name)]:
        message = f"The request body must contain the following parameter: '{missing[0]}'."
        raise EntraError(900144, message, error="invalid_request", status=400)
    if (grant := form["grant_type"]) != "client_credentials":
        message = f"The app requested an unsupported grant type '{grant}'."
        raise EntraError(70003, message, error="unsupported_grant_type", status=400)
    if not form.get("client_assertion") or form.get("client_assertion_type") != JWT_BEARER:
        message = "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type"
        raise EntraError(7000216, f"{message}.")
    scope = form["scope"]
    if not scope.endswith(DEFAULT) or " " in scope:
        message = (
            f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value with "
            "/.default suffixed to the resource identifier (application ID URI)."
        )
        raise EntraError(1002012, message, error="invalid_scope", status=400)
    await federation.check(form["client_id"], form["client_assertion"])
    return scope.removesuffix(DEFAULT)


def _refused(error: EntraError, clock: Clock) -> Response:
    trace, correlation, time = str(uuid.uuid4()), str(uuid.uuid4()), f"{clock.now():%Y-%m-%d %H:%M:%SZ}"
    return JSONResponse(
        {
            "error": error.error,
            "error_description": f"{error} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}",
            "error_codes": [error.number],
            "timestamp": time,
            "trace_id": trace,
            "correlation_id": correlation,
        },
        error.status,
    )
