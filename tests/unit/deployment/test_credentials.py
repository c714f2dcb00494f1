"""Who the SDK is, and what is said where a login cannot be had."""

from collections.abc import Iterator

import pytest
from azure.identity import ClientAssertionCredential, DefaultAzureCredential

from deployment.azure_names import AUDIENCE
from deployment.credentials import ADVICE, GitHubIdTokens, choose_credential, login_refusal
from deployment.outcomes import PlatformError, TransientError
from tests.lib.oidc_issuer import OidcIssuer, running_issuer, subject_of

pytestmark = pytest.mark.unit
IDENTITY = {"AZURE_CLIENT_ID": "client", "AZURE_TENANT_ID": "tenant"}
JOB = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://github/token?x=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "a secret"}


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[OidcIssuer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running_issuer() as running:
        yield running


def id_tokens(issuer: OidcIssuer, **changes: str) -> GitHubIdTokens:
    return GitHubIdTokens(**{"url": issuer.request_url, "token": issuer.request_token, **changes})


def test_a_workflow_with_a_federated_credential_is_itself() -> None:
    assert isinstance(choose_credential({**IDENTITY, **JOB}), ClientAssertionCredential)


@pytest.mark.parametrize("missing", [*IDENTITY, *JOB])
def test_whoever_has_not_all_of_its_variables_is_found_by_the_default(missing: str) -> None:
    for left in ({}, {missing: ""}):
        variables = {name: value for name, value in {**IDENTITY, **JOB}.items() if name != missing}
        assert isinstance(choose_credential({**variables, **left}), DefaultAzureCredential)


def test_an_id_token_is_asked_for_anew_each_time_and_for_microsoft_entra(issuer: OidcIssuer) -> None:
    tokens = [id_tokens(issuer).fetch() for _ in range(2)]
    assert tokens == issuer.tokens
    assert tokens[0] != tokens[1]
    assert issuer.audiences == [AUDIENCE, AUDIENCE]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_id_token_says_which_permission_the_job_needs(issuer: OidcIssuer, status: int) -> None:
    issuer.answer = status
    with pytest.raises(PlatformError, match=f"refused with {status}; give this job the permission `id-token: write`"):
        id_tokens(issuer).fetch()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_fault_of_github_may_be_over_when_it_is_asked_again(issuer: OidcIssuer, status: int) -> None:
    issuer.answer = status
    with pytest.raises(TransientError, match=f"GitHub answers {status}; run the job again"):
        id_tokens(issuer).fetch()


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"{}", b'{"value": ""}', b'{"value": 1}', b'"\xff"'])
def test_an_answer_without_an_id_token_is_told(issuer: OidcIssuer, content: bytes) -> None:
    issuer.content = content
    with pytest.raises(PlatformError, match="the answer \\(200\\) has none; ACTIONS_ID_TOKEN_REQUEST_URL has to be"):
        id_tokens(issuer).fetch()


def test_a_redirection_is_not_followed_with_the_secret(issuer: OidcIssuer) -> None:
    issuer.answer = 302
    with pytest.raises(PlatformError, match="the answer \\(302\\) has none"):
        id_tokens(issuer).fetch()


def test_an_address_where_nobody_answers_is_told(issuer: OidcIssuer) -> None:
    with pytest.raises(TransientError, match="no answer from ACTIONS_ID_TOKEN_REQUEST_URL"):
        id_tokens(issuer, url="http://127.0.0.1:1/token?x=1").fetch()


@pytest.mark.parametrize(
    "changes", [{"token": "hush\nhush"}, {"token": "hush\u20ac"}, {"url": "http://[::1"}, {"url": "x"}]
)
def test_what_cannot_be_asked_is_told_without_the_secret(issuer: OidcIssuer, changes: dict[str, str]) -> None:
    with pytest.raises(PlatformError, match="GitHub's ID token: ") as told:
        id_tokens(issuer, **changes).fetch()
    assert "hush" not in str(told.value)
    assert told.value.__suppress_context__


def test_the_secret_is_not_in_what_a_log_would_show(issuer: OidcIssuer) -> None:
    assert issuer.request_token not in repr(id_tokens(issuer))


@pytest.mark.parametrize("number", ["AADSTS700213", "AADSTS7002138"])
def test_a_subject_that_nobody_trusts_is_named_with_what_to_do(number: str) -> None:
    subject = subject_of("production")
    message = (
        f"Microsoft Entra ID error '(invalid_client) {number}: No matching federated identity record found for "
        f"presented assertion subject '{subject}'. Check it. Trace ID: 1-2 Correlation ID: 3 Timestamp: 4'"
    )
    told = login_refusal(message, 401, {})
    assert type(told) is PlatformError
    assert str(told) == (
        f"login to Azure: {number}: No matching federated identity record found for presented assertion subject "
        f"'{subject}'. Check it; {ADVICE['AADSTS700213']}"
    )


@pytest.mark.parametrize("ending", ["", ".", ". Trace ID: 1", ".\r\nTrace ID: 1"])
def test_another_refusal_of_a_login_says_where_its_number_is_explained(ending: str) -> None:
    told = login_refusal(f"Authentication failed: AADSTS53003: Blocked{ending}", 400, {})
    assert (
        str(told)
        == "login to Azure: AADSTS53003: Blocked; look this code up at https://login.microsoftonline.com/error"
    )


@pytest.mark.parametrize("status", [429, 503])
def test_a_fault_of_microsoft_entra_may_be_over_when_it_is_asked_again(status: int) -> None:
    assert isinstance(login_refusal("AADSTS90033: A transient error has occurred.", status, {}), TransientError)


NO_CREDENTIAL = "DefaultAzureCredential failed to retrieve a token from the included credentials."


def test_a_job_without_the_permission_is_told_so() -> None:
    told = login_refusal(NO_CREDENTIAL, None, {"GITHUB_ACTIONS": "true"})
    assert type(told) is PlatformError
    assert "GitHub offers no ID token; give this job the permission `id-token: write`" in str(told)


@pytest.mark.parametrize("variables", [{}, {"GITHUB_ACTIONS": "true", **JOB}])
def test_elsewhere_the_sdks_own_words_are_kept(variables: dict[str, str]) -> None:
    assert login_refusal(NO_CREDENTIAL, None, variables) is None
    assert login_refusal("The resource does not exist", 404, {"GITHUB_ACTIONS": "true"}) is None
