"""The identity endpoint of a managed identity (App Service protocol, api-version 2019-08-01)."""

import hmac

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deployment.emulator.errors import BadRequestError, UnauthorizedError
from deployment.emulator.tokens import Tokens

TOKEN_PATH = "/msi/token"  # noqa: S105 - a path, not a secret


def identity_app(tokens: Tokens, identity_header: str) -> Starlette:
    """Answer an application that issues tokens to whoever knows the identity header."""

    async def issue(request: Request) -> Response:
        given = request.headers.get("x-identity-header", "")
        if not hmac.compare_digest(given.encode(), identity_header.encode()):
            return _refused(401, UnauthorizedError("X-IDENTITY-HEADER is missing or wrong."))
        resource = request.query_params.get("resource", "")
        if not resource:
            return _refused(400, BadRequestError("The query parameter resource is missing."))
        token = tokens.issue(resource)
        return JSONResponse(
            {
                "access_token": token.value,
                "expires_on": str(token.expires_on),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": "",
            }
        )

    return Starlette(routes=[Route(TOKEN_PATH, issue, methods=["GET"])])


def _refused(status: int, error: BadRequestError | UnauthorizedError) -> Response:
    return JSONResponse({"statusCode": status, "message": error.message}, status)
