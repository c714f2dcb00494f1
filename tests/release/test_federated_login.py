"""A workflow's own login, end to end: GitHub's ID token, Microsoft Entra's token, the SDK, the emulator."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msal  # type: ignore[import-untyped]  # it ships no type information
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientAssertionCredential

from deployment.credentials import choose_credential
from tests.lib.emulator import REPOSITORY, RunningEmulator, running_emulator
from tests.lib.oidc_issuer import LIFETIME_S, OidcIssuer, running_issuer, subject_of

pytestmark = pytest.mark.release
IDENTITY = {
    "AZURE_CLIENT_ID": "11111111-1111-1111-1111-111111111111",
    "AZURE_TENANT_ID": "22222222-2222-2222-2222-222222222222",
}
# Those of a managed identity, which a workflow has not.
OF_A_MANAGED_IDENTITY = {"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_TOKEN_CREDENTIALS"}
IMAGE = f"local.azurecr.io/diabetes-byoc@sha256:{'1' * 64}"


@dataclass(frozen=True)
class Job:
    """An emulator that trusts the job's environment, and the issuer of its ID tokens."""

    emulator: RunningEmulator
    issuer: OidcIssuer

    @property
    def variables(self) -> dict[str, str]:
        """What a job has: its variables, GitHub's own, and those that lead to the emulator."""
        leading = {name: value for name, value in self.emulator.variables.items() if name not in OF_A_MANAGED_IDENTITY}
        return {**leading, **IDENTITY, **self.issuer.variables}

    def run(self, *arguments: str, without: tuple[str, ...] = (), **further: str) -> tuple[int, str]:
        """Run `python -m deployment` as a step of the job; answer its exit code and all that it printed."""
        kept = {
            name: value
            for name, value in self.emulator.child_environment.items()
            if name not in self.emulator.variables and not name.startswith(("ACTIONS_ID_TOKEN", "GITHUB_"))
        }
        given = {name: value for name, value in self.variables.items() if name not in without}
        done = subprocess.run(
            [sys.executable, "-m", "deployment", *arguments],
            cwd=REPOSITORY,
            env={**kept, **given, **further},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert "eyJ" not in done.stdout, "a token was printed"
        assert self.issuer.request_token not in done.stdout
        return done.returncode, done.stdout


@pytest.fixture(scope="module")
def a_job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    trusted = ("--federated-issuer", "{}", "--federated-subject", subject_of("production"))
    with running_issuer() as issuer:
        options = tuple(each.format(issuer.url) for each in trusted)
        with running_emulator(tmp_path_factory.mktemp("federated"), options=options) as emulator:
            yield Job(emulator, issuer)


@pytest.fixture
def job(a_job: Job, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    """The job, in whose environment this process is too."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, a_job.emulator.variables[name])
    a_job.issuer.tokens.clear()
    yield a_job
    a_job.issuer.subject, a_job.issuer.age_s, a_job.issuer.answer = None, 0, None


def test_the_unmodified_sdk_logs_in_as_the_workflow(job: Job) -> None:
    exit_code, output = job.run("status")
    assert (exit_code, output.strip()) == (
        0,
        "The endpoint does not exist yet; `python -m deployment promote` creates it.",
    )
    assert job.issuer.requests == 1


def test_what_the_sdk_has_no_call_for_is_asked_as_the_workflow_too(job: Job) -> None:
    _, output = job.run("preflight", "--image", IMAGE)
    assert "standardDSv2Family" in output
    assert "login" not in output
    assert job.issuer.requests >= 1


def test_another_subject_is_refused_by_name_with_what_to_do(job: Job) -> None:
    job.issuer.subject = subject_of("somewhere-else")
    exit_code, output = job.run("status")
    assert exit_code == 20, output
    assert output.startswith(
        "error: login to Azure: AADSTS700213: No matching federated identity record found for presented assertion "
        f"subject '{subject_of('somewhere-else')}'."
    )
    assert "give AZURE_CLIENT_ID a federated credential with exactly this subject" in output
    assert output.count("\n") == 1


def test_a_job_without_the_permission_for_id_tokens_is_told_so(job: Job) -> None:
    job.issuer.answer = 403
    exit_code, output = job.run("status")
    assert exit_code == 20, output
    assert "error: GitHub's ID token: refused with 403; give this job the permission `id-token: write`" in output
    assert output.count("\n") == 1


def test_each_access_token_is_asked_for_with_an_id_token_of_its_own(job: Job) -> None:
    management, scoring = f"{job.emulator.control_url}/.default", "https://ml.azure.com/.default"
    with credential_of(job.variables) as credential:
        first = credential.get_token(management)
        assert credential.get_token(management).token == first.token
        assert credential.get_token(scoring).token != first.token
    assert job.issuer.requests == len(set(job.issuer.tokens)) == 2


def test_an_id_token_that_has_ended_is_not_used_for_the_next_access_token(job: Job) -> None:
    scope = f"{job.emulator.control_url}/.default"
    with credential_of(job.variables) as credential:
        job.issuer.age_s = LIFETIME_S + 1
        with pytest.raises(ClientAuthenticationError, match="AADSTS700024: Client assertion is not within"):
            credential.get_token(scope)
        job.issuer.age_s = 0
        assert credential.get_token(scope).token
    assert job.issuer.requests == 2


def test_another_program_that_logs_in_by_msal_is_let_in_too(job: Job) -> None:
    application = msal.ConfidentialClientApplication(
        IDENTITY["AZURE_CLIENT_ID"],
        {"client_assertion": lambda: job.issuer.token("api://AzureADTokenExchange")},
        authority=f"{job.emulator.control_url}/{IDENTITY['AZURE_TENANT_ID']}",
        instance_discovery=False,
    )
    answer = application.acquire_token_for_client([f"{job.emulator.control_url}/.default"])
    assert answer["access_token"]


def credential_of(variables: Mapping[str, str]) -> ClientAssertionCredential:
    credential = choose_credential(variables)
    assert isinstance(credential, ClientAssertionCredential)
    return credential
