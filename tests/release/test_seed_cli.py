"""deployment/cli: the seed's way with `az ml`, against the emulator, by an `az` that makes each call with the SDK."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from deployment.phases import Phase
from deployment.record import utc_now
from tests.lib.az_ml_server import running_az
from tests.lib.emulator import REPOSITORY, running_emulator, wait_until
from tests.lib.seed_desk import DEPLOY, Desk, a_release, finish
from tests.lib.tiny_model import TINY_MODEL_SERVER

pytestmark = pytest.mark.release

BUILD = REPOSITORY / "deployment" / "sdk" / "build_byoc_image.sh"
# Answers once the file that its variable names is there.
WAITING_SERVER = f"""{TINY_MODEL_SERVER.partition("if __name__")[0]}
import os, time

class Waiting(Handler):
    def do_POST(self):
        while not os.path.exists(os.environ["ANSWER_FROM"]):
            time.sleep(0.02)
        super().do_POST()

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Waiting).serve_forever()
"""
BROKEN_SERVER = "raise SystemExit('there is no model here')"
SERVED = "served"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("cli")
    with running_emulator(folder) as emulator, running_az(folder, emulator.child_environment) as az:
        yield Desk(emulator, az, folder)


@pytest.fixture(scope="module")
def serving(desk: Desk) -> Desk:
    first = desk.run(SERVED, IMAGE=desk.image())
    assert first.exit_code == 0, first.output
    return desk


@pytest.fixture
def served(serving: Desk) -> Iterator[Desk]:
    """Yield a desk with an endpoint whose traffic blue has, and which no release holds; each test leaves it to blue."""
    yield serving
    serving.hold(SERVED, {})


def test_the_first_deployment_builds_the_model_creates_the_endpoint_and_gets_all_traffic(
    desk: Desk, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    train = [sys.executable, "-m", "model", "train", "--version", "first", "--output", str(model)]
    subprocess.run(train, cwd=REPOSITORY, check=True, capture_output=True)
    with desk.calls() as calls:
        first = desk.run("first", MODEL_DIR=str(model), BUNDLES_DIR=str(desk.emulator.bundles_dir))
    assert first.exit_code == 0, first.output
    assert calls == [
        *("account show", "ml workspace show"),
        *("ml online-endpoint show", "ml online-endpoint show"),  # before and after the build
        *("ml online-endpoint create", "ml online-deployment show"),
        *("ml online-deployment create", "ml online-endpoint invoke", "ml online-deployment get-logs"),
    ]
    assert desk.traffic("first") == {"blue": 100}
    blue = desk.ask("first", "GET", "/deployments/blue")
    assert blue["tags"]["model_version"] == "first"
    assert blue["tags"]["image"].startswith("diabetes-byoc@sha256:")
    assert "blue has all traffic of first" in first.output
    assert "Instance status:" in first.output
    key = desk.ask("first", "POST", "/listKeys")["primaryKey"]
    assert key not in first.output + "\n".join(desk.az.calls())
    scoring_uri = desk.ask("first", "GET")["properties"]["scoringUri"]
    golden = json.loads((model / "golden_requests.json").read_text(encoding="utf-8"))["requests"][0]
    with httpx.Client(trust_env=False, headers={"authorization": f"Bearer {key}"}) as client:
        assert client.post(scoring_uri, json=golden["body"]).json() == pytest.approx(golden["predictions"])


def test_a_further_deployment_answers_at_0_percent_before_it_gets_all_traffic(desk: Desk) -> None:
    image = desk.image()
    desk.create_endpoint("further")
    first = desk.run("further", IMAGE=image)
    assert first.exit_code == 0, first.output
    assert desk.traffic("further") == {"blue": 100}
    # A release that has ended is in nobody's way.
    desk.hold("further", a_release(Phase.PROMOTED).to_tags())
    with desk.calls() as calls:
        second = desk.run("further", IMAGE=image)
    assert second.exit_code == 0, second.output
    assert calls == [
        *("account show", "ml workspace show"),
        *("ml online-endpoint show", "ml online-deployment show", "ml online-deployment create"),
        *("ml online-endpoint invoke", "ml online-endpoint show", "ml online-endpoint update"),
        "ml online-deployment get-logs",
    ]
    assert not any("--all-traffic" in each for each in desk.az.calls() if "--endpoint-name further" in each)
    assert desk.traffic("further") == {"green": 100}
    assert desk.ask("further", "GET")["tags"]["release_id"] == "release-8"
    assert "green has all traffic of further; blue stays, without any" in second.output

    itself = desk.run("further", IMAGE=image, DEPLOYMENT_NAME="green")
    assert itself.exit_code == 2
    assert "DEPLOYMENT_NAME: green serves; name another, or leave it empty" in itself.output


def test_a_candidate_that_does_not_start_or_answers_wrongly_leaves_live_its_traffic(served: Desk) -> None:
    broken = served.run(SERVED, IMAGE=served.image(BROKEN_SERVER))
    assert broken.exit_code == 14, broken.output
    assert "there is no model here" in broken.output
    assert "green did not become ready; blue keeps all traffic" in broken.output
    assert served.traffic(SERVED) == {"blue": 100}

    with served.calls() as calls:
        wrong = served.run(SERVED, IMAGE=served.image(), MODEL_DIR=str(served.model(prediction=2)))
    assert wrong.exit_code == 13, wrong.output
    assert "green has no traffic; it is deleted and made anew" in wrong.output
    assert "golden request one-row got 1 instead of 2 in row 0" in wrong.output
    assert "blue keeps all traffic, and green stays at 0 % until the next deployment" in wrong.output
    assert "ml online-endpoint update" not in calls
    assert served.traffic(SERVED) == {"blue": 100}


def test_a_release_that_is_under_way_or_keeps_its_way_back_is_left_alone(served: Desk) -> None:
    # Gone silent, too: somebody may resume it.
    for phase, leased_s in ((Phase.SHIFTING, 300), (Phase.DEPLOYED, -300)):
        served.hold(SERVED, a_release(phase, leased_until=utc_now() + timedelta(seconds=leased_s)).to_tags())
        before = served.ask(SERVED, "GET")
        with served.calls() as calls:
            refusals = [served.run(SERVED, IMAGE=served.image()), served.run(SERVED, "--delete", "--yes")]
        for refused in refusals:
            assert refused.exit_code == 2, refused.output
            assert f"release release-8 is under way ({phase}, held by somebody #1)" in refused.output
            assert "`python -m deployment resume` goes on with it, `abort` ends it" in refused.output
        assert set(calls) == {"account show", "ml workspace show", "ml online-endpoint show"}
        assert served.ask(SERVED, "GET") == before

    kept = a_release(Phase.PROMOTED, kept="green", kept_until=utc_now() + timedelta(hours=1))
    served.hold(SERVED, kept.to_tags())
    warm = served.run(SERVED, IMAGE=served.image())
    assert warm.exit_code == 2, warm.output
    assert "green is kept warm until" in warm.output
    assert "give it up with `python -m deployment finish --now`" in warm.output


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"phase": Phase.OBSERVED}, "release release-8 is under way (observed"),
        ({"traffic": {}}, "all traffic was blue's and is nobody's; green gets none"),
    ],
    ids=["a-release-begins", "somebody-moves-the-traffic"],
)
def test_what_changes_while_the_candidate_is_made_is_seen_before_the_traffic_moves(
    served: Desk, tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    now = tmp_path / "now"
    asked = len(served.az.calls())
    process = served.start(SERVED, IMAGE=served.image(WAITING_SERVER, variables={"ANSWER_FROM": str(now)}))
    wait_until(lambda: any(" invoke " in each for each in served.az.calls()[asked:]) or process.poll() is not None, 60)
    traffic = change.get("traffic", {"blue": 100})
    tags = a_release(change["phase"]).to_tags() if "phase" in change else {}
    served.hold(SERVED, tags, traffic)
    now.touch()
    overtaken = finish(process)
    assert overtaken.exit_code == 2, overtaken.output
    assert told in overtaken.output
    assert served.traffic(SERVED) == traffic


def test_deleting_takes_the_endpoint_down_and_az_is_the_one_who_asks(desk: Desk) -> None:
    desk.create_endpoint("deleted")
    unasked = desk.run("deleted", "--delete")
    assert unasked.exit_code == 1
    assert "Operation cancelled." in unasked.output
    assert desk.traffic("deleted") == {}

    deleted = desk.run("deleted", "--delete", "--yes")
    assert deleted.exit_code == 0, deleted.output
    assert "endpoint deleted is deleted, with its deployments" in deleted.output
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        desk.traffic("deleted")
    again = desk.run("deleted", "--delete", "--yes")
    assert again.exit_code == 2
    assert "endpoint deleted: it does not exist" in again.output


def test_what_azure_refuses_is_told_in_its_words_and_ends_the_script(desk: Desk) -> None:
    refused = desk.run("no--such--name", IMAGE=desk.image())
    assert refused.exit_code == 1
    assert "ERROR: " in refused.output
    assert "creating endpoint no--such--name" in refused.output


def test_a_call_that_nobody_has_thought_of_is_refused_by_the_stand_in(desk: Desk) -> None:
    environment = desk.az.environment(desk.emulator.child_environment)
    where = ["--resource-group", "g", "--workspace-name", "w"]
    for call in (
        ["ml", "online-endpoint", "list", *where],
        ["ml", "online-endpoint", "show", "--name", "x", "--query", "tags", *where],
        ["ml", "online-endpoint", "show", "--name", "x", "--resource-group", "g"],
        ["group", "show"],
    ):
        refused = subprocess.run(
            [desk.az.folder / "az", *call], env=environment, capture_output=True, text=True, check=False
        )
        assert refused.returncode == 2, call
        assert "usage: az" in refused.stderr


MODEL = {"RESOURCE_GROUP": "g", "WORKSPACE": "w", "IMAGE": "tiny@sha256:0"}


@pytest.mark.parametrize(
    ("script", "arguments", "variables", "told"),
    [
        (DEPLOY, [], {"WORKSPACE": "w"}, "RESOURCE_GROUP: not set; name the workspace's resource group"),
        (DEPLOY, [], {"RESOURCE_GROUP": "g"}, "WORKSPACE: not set"),
        (DEPLOY, [], {"RESOURCE_GROUP": "g", "WORKSPACE": "w"}, "ACR_LOGIN_SERVER: not set; name the registry"),
        (DEPLOY, [], {**MODEL, "IMAGE": "tiny:1"}, "IMAGE: tiny:1 is no digest; name it as registry/name@sha256:..."),
        (DEPLOY, ["--now"], MODEL, "'--now' is not known; --help tells what is"),
        (DEPLOY, ["--yes"], MODEL, "--yes: it belongs to --delete"),
        (DEPLOY, [], MODEL, "az: not found; install the Azure CLI and its extension ('az extension add --name ml')"),
        (BUILD, ["--pull"], {}, "'--pull' is not known; --help tells what is"),
        (BUILD, ["--push", "--push"], {}, "'--push' is not known"),
        (BUILD, [], {"RUNTIME": "podman"}, "RUNTIME: 'podman' is neither containers nor processes"),
        (BUILD, ["--push"], {"RUNTIME": "processes"}, "a bundle is no image, so there is nothing to push"),
        (BUILD, ["--push"], {}, "ACR_LOGIN_SERVER: not set; name the registry to push to"),
        (BUILD, ["--push"], {"ACR_LOGIN_SERVER": "mine.azurecr.io"}, "az: not found; install the Azure CLI"),
        (BUILD, [], {"RUNTIME": "processes", "MODEL_DIR": "no/such"}, "no/such/metadata.json cannot be read"),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else None,
)
def test_what_is_missing_is_named_before_anything_is_done(
    script: Path, arguments: list[str], variables: dict[str, str], told: str, tmp_path: Path
) -> None:
    # What the scripts need before they need az, and nothing else.
    for program in ("bash", "cat", "dirname", "env"):
        (tmp_path / program).symlink_to(str(shutil.which(program)))
    environment = {"PATH": str(tmp_path), "HOME": os.environ.get("HOME", ""), "NO_COLOR": "1", **variables}
    refused = subprocess.run([script, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 2, refused.stderr
    assert told in " ".join(refused.stderr.split())


def test_files_a_workspace_and_a_login_that_are_not_there_are_told_before_anything_is_made(
    desk: Desk, tmp_path: Path
) -> None:
    unknown = desk.run("unknown", IMAGE=desk.image(), MODEL_DIR=str(tmp_path))
    assert unknown.exit_code == 2
    assert f"{tmp_path / 'metadata.json'} cannot be read" in unknown.output

    unread = desk.run("unknown", IMAGE=desk.image(), ENDPOINT_FILE="no/such.yml")
    assert unread.exit_code == 2
    assert "no/such.yml: it cannot be read" in unread.output

    (tmp_path / "nameless.yml").write_text("auth_mode: key\n", encoding="utf-8")
    nameless = desk.run("", IMAGE=desk.image(), ENDPOINT_FILE=str(tmp_path / "nameless.yml"))
    assert nameless.exit_code == 2
    assert "ENDPOINT_NAME: not set, and" in nameless.output

    with desk.calls() as calls:
        elsewhere = desk.run("unknown", IMAGE=desk.image(), WORKSPACE="other")
    assert elsewhere.exit_code == 2
    assert "workspace other: az does not find it in local; correct WORKSPACE, RESOURCE_GROUP" in elsewhere.output
    assert calls == ["account show", "ml workspace show"]

    environment = desk.az.environment({"PATH": os.environ["PATH"], **MODEL})
    stranger = subprocess.run([DEPLOY], env=environment, capture_output=True, text=True, check=False)
    assert stranger.returncode == 2
    assert "az: it is not logged in; run 'az login'" in stranger.stderr


@pytest.mark.parametrize("script", [DEPLOY, BUILD], ids=lambda script: script.name)
def test_the_help_names_every_variable_at_the_top_of_the_script(script: Path) -> None:
    told = subprocess.run([script, "--help"], capture_output=True, text=True, check=True).stdout
    lines = script.read_text(encoding="utf-8").partition("\nusage() {")[0].splitlines()
    variables = [line.partition("=")[0] for line in lines if "=${" in line]
    assert len(variables) > 5
    for name in variables:
        assert f"  {name} " in told
    assert "Example: " in told
