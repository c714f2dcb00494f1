"""Whether a repository is connected to Azure: not at all, by half, or as a whole."""

import html
import json
from collections.abc import Mapping

import pytest

from pipeline.configured import configured
from pipeline.errors import PipelineError
from pipeline.variables import NEEDED, variables
from tests.lib.github_step import Step

pytestmark = pytest.mark.unit

UUID = "01234567-89ab-cdef-0123-456789abcdef"
ALL = {
    "AZURE_CLIENT_ID": UUID,
    "AZURE_TENANT_ID": UUID.replace("0", "1"),
    "AZURE_SUBSCRIPTION_ID": UUID.replace("0", "2"),
    "AZURE_RESOURCE_GROUP": "rg-models",
    "AZUREML_WORKSPACE_NAME": "ws",
    "ACR_LOGIN_SERVER": "myregistry.azurecr.io",
}

ATTEST_TOLD = {None: "not set", "true": "true", "no": "not true"}


def environ(found: object, visibility: str = "private", environment: str = "production") -> Mapping[str, str]:
    return {"VARIABLES": json.dumps(found), "VISIBILITY": visibility, "ENVIRONMENT": environment}


@pytest.mark.parametrize("found", [{}, None, {"PROMOTERS": "me"}, dict.fromkeys(ALL, " ")])
def test_a_fresh_fork_is_told_how_to_connect_azure_and_nothing_is_wrong(
    found: object, step: Step, capsys: pytest.CaptureFixture[str]
) -> None:
    configured(environ(found, "public"))
    assert step.outputs == {"azure": "false", "attest": "false"}
    for needed in ALL:
        assert needed.replace("_", "&#95;") in step.summary
    for environment in ("registry", "production", "production-unattended", "staging", "staging-unattended"):
        assert f"| {environment} |" in step.summary
    for told in (
        "Settings > Secrets and variables > Actions >",
        "`gh variable set NAME`",
        "`repo:OWNER@OWNER_ID/REPO@REPO_ID:environment:NAME`",
        "`repo:OWNER/REPO:environment:NAME`",
        "2026-07-15",
        "Deployment branches > Selected branches: main",
        "gh api -X PUT repos/OWNER/REPO/environments/NAME -F 'deployment_branch_policy[protected_branches]=false' \\\n",
        "-F 'deployment_branch_policy[custom_branch_policies]=true'",
        "gh api -X POST repos/OWNER/REPO/environments/NAME/deployment-branch-policies -f name=main",
        "The branch has to be called main.",
    ):
        assert told in step.summary
    assert capsys.readouterr().out.startswith("::notice title=Azure is not connected::")


def test_a_connected_repository_gives_both_outputs_and_shows_no_value_of_a_variable(step: Step) -> None:
    found = {**ALL, "AZUREML_WORKSPACE_NAME": "ws-7", "ACR_LOGIN_SERVER": "acme.azurecr.io", "OTHER": "other-7"}
    configured(environ(found))
    assert step.outputs == {"azure": "true", "attest": "false"}
    assert "## Azure is connected" in step.summary
    assert "Images are not attested: the repository is private, ATTEST is not set." in step.summary
    for name in ALL:
        assert f"| {name.replace('_', '&#95;')} | set |" in step.summary
    assert [value for value in found.values() if value in step.summary] == []


@pytest.mark.parametrize(
    ("visibility", "attest", "expected"),
    [("public", None, "true"), ("private", "true", "true"), ("private", "no", "false"), ("internal", None, "false")],
)
def test_images_are_attested_where_github_does_that_or_where_a_variable_says_so(
    visibility: str, attest: str | None, expected: str, step: Step
) -> None:
    configured(environ(ALL | ({"ATTEST": attest} if attest else {}), visibility))
    assert f"ATTEST is {ATTEST_TOLD[attest]}." in step.summary
    assert step.outputs["attest"] == expected


@pytest.mark.parametrize("missing", ALL)
def test_a_connection_by_half_names_what_is_missing(missing: str, step: Step) -> None:
    found = {name: value for name, value in ALL.items() if name != missing}
    with pytest.raises(PipelineError, match=f"^{missing} is not set: .*gh variable set") as raised:
        configured(environ(found))
    assert raised.value.exit_code == 2
    assert len(raised.value.messages) == 1
    assert step.outputs == {}
    assert f"| {missing.replace('_', '&#95;')} | not set |" in step.summary


@pytest.mark.parametrize(
    ("name", "value", "form"),
    [
        ("AZURE_CLIENT_ID", "my-app", "a UUID"),
        ("AZURE_TENANT_ID", f"{UUID} ", "a UUID"),
        ("AZURE_SUBSCRIPTION_ID", f"{{{UUID}}}", "a UUID"),
        ("AZURE_RESOURCE_GROUP", "my group", "a name without spaces"),
        ("AZUREML_WORKSPACE_NAME", "a/b", "a name without spaces"),
        ("ACR_LOGIN_SERVER", "https://myregistry.azurecr.io", "a host without https:// or a path"),
        ("ACR_LOGIN_SERVER", "myregistry.azurecr.io/models", "a host without https:// or a path"),
    ],
)
def test_a_value_of_the_wrong_form_is_shown_with_the_right_one(name: str, value: str, form: str, step: Step) -> None:
    with pytest.raises(PipelineError, match=f"^{name}: ") as raised:
        configured(environ({**ALL, name: value}))
    assert f"{value!r} is not {form}" in str(raised.value)
    assert f"not {form}" in html.unescape(step.summary)


def test_all_that_is_wrong_is_named_at_once(step: Step) -> None:
    with pytest.raises(PipelineError) as raised:
        variables(environ({"AZURE_CLIENT_ID": "x", "PROMOTERS": "me"}))
    assert len(raised.value.messages) == len(NEEDED)
    assert step.variables == {}


def test_the_job_gets_all_six_and_the_login_its_ids(step: Step) -> None:
    variables(environ({**ALL, "OTHER": "is not handed on"}, environment="registry"))
    assert step.variables == ALL
    assert step.outputs == {
        "client-id": ALL["AZURE_CLIENT_ID"],
        "tenant-id": ALL["AZURE_TENANT_ID"],
        "subscription-id": ALL["AZURE_SUBSCRIPTION_ID"],
        "registry": "myregistry.azurecr.io",
    }


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        *(("production", "diabetes"), ("production-unattended", "diabetes")),
        *(("staging", "diabetes-staging"), ("staging-unattended", "diabetes-staging")),
    ],
)
def test_the_job_gets_the_name_of_its_environments_endpoint(environment: str, endpoint: str, step: Step) -> None:
    variables(environ(ALL, environment=environment))
    assert step.variables == {**ALL, "AZUREML_ENDPOINT_NAME": endpoint}


@pytest.mark.parametrize("environment", ["", "Production", "registry-unattended", "staging-unattended-unattended"])
def test_an_environment_that_nobody_knows_is_refused_and_nothing_handed_on(environment: str, step: Step) -> None:
    with pytest.raises(PipelineError, match=f"ENVIRONMENT: '{environment}' is none; set it to one of production, "):
        variables(environ(ALL, environment=environment))
    assert step.variables == step.outputs == {}


def test_a_job_that_does_not_say_its_environment_is_told_so(step: Step) -> None:
    with pytest.raises(PipelineError, match="ENVIRONMENT is not in the environment"):
        variables({"VARIABLES": json.dumps(ALL)})
    assert step.variables == {}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "VARIABLES is not in the environment"),
        ({"VARIABLES": "{"}, "VARIABLES: '{' is not JSON"),
        ({"VARIABLES": "[]"}, "VARIABLES: it is a JSON list, not an object"),
        ({"VARIABLES": "{}"}, "VISIBILITY is not in the environment"),
    ],
)
def test_a_step_that_hands_nothing_over_is_told_what_to_set(given: Mapping[str, str], told: str, step: Step) -> None:
    with pytest.raises(PipelineError, match=told):
        configured(given)
    assert step.outputs == {}
