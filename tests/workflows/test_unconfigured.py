"""Forks that are not connected to Azure, or only half."""

import pytest

from tests.lib.act import Surroundings
from tests.lib.fork import Fork
from tests.workflows import scenarios
from tests.workflows.conftest import Stage
from tests.workflows.events import dispatch

pytestmark = pytest.mark.workflows

REQUEST = {"environment": "production", "profile": "standard", "confirmation": "diabetes", "dry_run": "false"}
# As `gh variable set` stores them.
VARIABLES = {
    "AZURE_CLIENT_ID": "6b1f5d0e-0000-4000-8000-0000000000c1",
    "AZURE_TENANT_ID": "6b1f5d0e-0000-4000-8000-0000000000e1",
}


def test_a_promote_in_an_unconnected_fork_is_grey_and_says_how_to_connect(stage: Stage, template: Fork) -> None:
    run = stage.play(scenarios.PROMOTE_UNCONFIGURED, template, dispatch(REQUEST))
    assert "not connected" in run.summary
    assert run.artifacts == {}


def test_a_half_connected_fork_is_red_and_is_told_what_is_missing(stage: Stage, template: Fork) -> None:
    run = stage.play(scenarios.PROMOTE_HALF_CONFIGURED, template, dispatch(REQUEST), Surroundings(VARIABLES))
    for missing in ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZUREML_WORKSPACE_NAME", "ACR_LOGIN_SERVER"):
        assert missing in run.summary
        assert any(missing in message for message in run.annotations("error"))
