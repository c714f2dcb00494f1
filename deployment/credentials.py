"""Who the SDK is: in a GitHub workflow the workflow itself, elsewhere whoever DefaultAzureCredential finds.

An ID token of GitHub ends after some minutes, and an access token of Microsoft Entra after an hour or so: each access
token is asked for with an ID token of its own, so that no release is longer than what it was begun with
(AADSTS700024).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx
from azure.identity import ClientAssertionCredential, DefaultAzureCredential

from deployment.azure_names import AUDIENCE
from deployment.outcomes import PlatformError, TransientError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

TIMEOUT_S = 20.0
REQUEST_VARIABLES = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
IDENTITY_VARIABLES = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID")
REFUSED = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND})
GIVE_PERMISSION = "give this job the permission `id-token: write`"
# What to do about https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
ADVICE = {
    "AADSTS70021": "give AZURE_CLIENT_ID a federated credential with exactly this issuer, subject and audience",
    "AADSTS700211": "the issuer of a federated credential for GitHub is https://token.actions.githubusercontent.com",
    "AADSTS700212": f"the audience of a federated credential for GitHub is {AUDIENCE}",
    "AADSTS700213": (
        "give AZURE_CLIENT_ID a federated credential with exactly this subject, letter for letter: the environment is "
        "the job's, and repositories made since July 2026 have ids in it, repo:OWNER@ID/NAME@ID:environment:NAME"
    ),
    "AADSTS70025": "give AZURE_CLIENT_ID a federated credential for this repository and the job's environment",
    "AADSTS700024": "look at this machine's clock: the ID token was fetched just now",
    "AADSTS700016": "AZURE_CLIENT_ID is not known in AZURE_TENANT_ID; look at both variables",
    "AADSTS90002": "AZURE_TENANT_ID is not known; look at that variable",
}
SUBJECT_NUMBER = re.compile(r"AADSTS(700213)\d")


def choose_credential(environ: Mapping[str, str]) -> "TokenCredential":
    """Return the credential of a GitHub workflow where its variables are set, otherwise DefaultAzureCredential."""
    if not all(environ.get(name) for name in (*REQUEST_VARIABLES, *IDENTITY_VARIABLES)):
        return DefaultAzureCredential()
    url, token, client_id, tenant_id = (environ[name] for name in (*REQUEST_VARIABLES, *IDENTITY_VARIABLES))
    return ClientAssertionCredential(
        tenant_id, client_id, GitHubIdTokens(url, token).fetch, authority=environ.get("AZURE_AUTHORITY_HOST")
    )


@dataclass(frozen=True)
class GitHubIdTokens:
    """Where a job's ID tokens come from, and the secret that it asks with.

    https://docs.github.com/actions/reference/security/oidc
    """

    url: str
    token: str = field(repr=False)

    def fetch(self) -> str:
        """Return a new ID token; raises PlatformError, and TransientError where asking again may help."""
        try:
            answer = httpx.get(
                httpx.URL(self.url).copy_merge_params({"audience": AUDIENCE}),
                headers={"authorization": f"bearer {self.token}", "accept": "application/json"},
                timeout=TIMEOUT_S,
            )
        except httpx.TransportError as error:
            # Not the error's own words: those of a header that cannot be sent would have the secret in them.
            raise TransientError(
                f"GitHub's ID token: no answer from ACTIONS_ID_TOKEN_REQUEST_URL ({type(error).__name__}); "
                "run the job again"
            ) from None
        except (httpx.InvalidURL, ValueError) as error:
            raise PlatformError(
                f"GitHub's ID token: it cannot be asked for ({type(error).__name__}); leave "
                f"{' and '.join(REQUEST_VARIABLES)} as GitHub sets them"
            ) from None
        return id_token_of(answer)


def id_token_of(answer: httpx.Response) -> str:
    """Read GitHub's answer; what is in it is in no message."""
    if answer.status_code in REFUSED:
        raise PlatformError(
            f"GitHub's ID token: refused with {answer.status_code}; {GIVE_PERMISSION}, and mind that "
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN ends with its job"
        )
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
        raise TransientError(f"GitHub's ID token: GitHub answers {answer.status_code}; run the job again")
    try:
        value = answer.json()["value"] if answer.is_success else None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        value = None
    if not value or not isinstance(value, str):
        raise PlatformError(
            f"GitHub's ID token: the answer ({answer.status_code}) has none; ACTIONS_ID_TOKEN_REQUEST_URL has to be as "
            "GitHub sets it"
        )
    return value


def login_refusal(message: str, status: int | None, environ: Mapping[str, str]) -> PlatformError | None:
    """Return Microsoft Entra's refusal with what to do about it; None where the message is of something else."""
    found = re.search(r"AADSTS\d+.*?(?= ?Trace ID|'$|$)", message, re.DOTALL)
    if found is not None:
        refusal = found[0].strip().rstrip(".")
        number = SUBJECT_NUMBER.sub(r"AADSTS\1", refusal.partition(":")[0])
        advice = ADVICE.get(number, "look this code up at https://login.microsoftonline.com/error")
        is_passing = status is not None and (
            status == httpx.codes.TOO_MANY_REQUESTS or httpx.codes.is_server_error(status)
        )
        return (TransientError if is_passing else PlatformError)(f"login to Azure: {refusal}; {advice}")
    is_without_token = "failed to retrieve a token" in message and environ.get("GITHUB_ACTIONS") == "true"
    if is_without_token and not environ.get(REQUEST_VARIABLES[0]):
        return PlatformError(
            f"login to Azure: no credential was found, and GitHub offers no ID token; {GIVE_PERMISSION}"
        )
    return None
