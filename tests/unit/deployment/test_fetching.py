"""Which image is fetched."""

from dataclasses import replace

import pytest

from deployment.fetching import image_running, reference_of
from deployment.outcomes import BadInputError
from deployment.platform import IMAGE_TAG
from tests.lib.shipped import DEPLOYMENT_FILE
from tests.unit.deployment.scene import IMAGE, OTHER_IMAGE, a_deployment, an_endpoint

pytestmark = pytest.mark.unit

DIGEST = "sha256:" + "0a" * 32
HOST = "mine.azurecr.io"
ENDPOINT = an_endpoint(
    {"blue": 90, "green": 10}, a_deployment("blue", image=IMAGE), a_deployment("green", image=OTHER_IMAGE)
)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("", f"{HOST}/diabetes-byoc:main"),
        (DIGEST, f"{HOST}/diabetes-byoc@{DIGEST}"),
        (f"other.test/model@{DIGEST}", f"other.test/model@{DIGEST}"),
    ],
)
def test_nothing_is_the_latest_of_main_a_digest_is_in_the_registry_and_a_reference_is_itself(
    text: str, reference: str
) -> None:
    assert reference_of(text, HOST, DEPLOYMENT_FILE) == reference


@pytest.mark.parametrize("text", ["main", f"{HOST}/diabetes-byoc:main", "sha256:0a", DIGEST.upper(), f"model@{DIGEST}"])
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(BadInputError, match="neither sha256:<64 hex digits> nor HOST/name"):
        reference_of(text, HOST, DEPLOYMENT_FILE)


@pytest.mark.parametrize("text", ["", DIGEST])
def test_without_a_registry_it_is_said_how_to_name_one(text: str) -> None:
    with pytest.raises(BadInputError, match="by --registry or ACR_LOGIN_SERVER"):
        reference_of(text, "", DEPLOYMENT_FILE)


def test_the_image_of_a_deployment_is_by_its_tag_and_without_a_name_of_the_one_that_serves() -> None:
    assert image_running(ENDPOINT, "green") == OTHER_IMAGE
    assert image_running(ENDPOINT, "") == IMAGE


def test_a_deployment_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(BadInputError, match="no deployment red; it has blue, green"):
        image_running(ENDPOINT, "red")
    with pytest.raises(BadInputError, match="no deployment serves; it has blue"):
        image_running(replace(an_endpoint(), traffic={}), "")
    with pytest.raises(BadInputError, match="nothing has been released yet"):
        image_running(None, "")


def test_a_deployment_that_no_release_has_made_names_no_image() -> None:
    untagged = replace(a_deployment("blue"), tags={IMAGE_TAG: "model:1"})
    with pytest.raises(BadInputError, match="deployment blue: its tag 'image' is 'model:1', no image by digest"):
        image_running(an_endpoint({"blue": 100}, untagged), "")
