import random
from collections import Counter
from dataclasses import replace

import pytest

from deployment.emulator.entities import Keys
from deployment.emulator.errors import AzureError, BadRequestError, ConflictError
from deployment.emulator.provisioning import TRANSITIONS, Event, State, follow, wire_state
from deployment.emulator.routing import choose_deployment, clean_client_request_id, is_key_of
from deployment.emulator.rules import check_name, check_tags, check_traffic
from tests.lib.emulator_fakes import a_deployment

pytestmark = pytest.mark.unit
KEYS = Keys("a" * 32, "b" * 32)
BLUE, GREEN = a_deployment("blue"), a_deployment("green")


@pytest.mark.parametrize("name", ["abc", "a-1", "Diabetes-2", "a" * 32])
def test_a_documented_name_is_accepted(name: str) -> None:
    check_name("endpoint", name)


@pytest.mark.parametrize("name", ["ab", "a" * 33, "1abc", "-abc", "abc-", "a--b", "a_b", "a.b", "äbc", "abc\n"])
def test_any_other_name_is_refused(name: str) -> None:
    with pytest.raises(BadRequestError):
        check_name("endpoint", name)


def test_50_tags_of_the_greatest_lengths_are_accepted() -> None:
    check_tags("diabetes", {f"{number:03}".ljust(512, "n"): "v" * 256 for number in range(50)})


@pytest.mark.parametrize(
    ("tags", "values"),
    [
        ({str(number): "" for number in range(51)}, "51 vs 50"),
        ({"n" * 513: ""}, "513 characters vs 512"),
        ({"n": "v" * 257}, "257 characters vs 256"),
    ],
)
def test_more_and_longer_tags_are_refused(tags: dict[str, str], values: str) -> None:
    with pytest.raises(BadRequestError, match=values):
        check_tags("diabetes", tags)


@pytest.mark.parametrize("traffic", [{}, {"blue": 0}, {"blue": 100}, {"blue": 90, "green": 10}])
def test_traffic_that_adds_up_to_0_or_100_is_accepted(traffic: dict[str, int]) -> None:
    check_traffic(traffic, {}, [BLUE, GREEN])


@pytest.mark.parametrize(
    "traffic", [{"blue": 90}, {"blue": 90, "green": 20}, {"blue": 150, "green": -50}, {"blue": 90, "red": 10}]
)
def test_traffic_that_cannot_be_routed_is_refused(traffic: dict[str, int]) -> None:
    with pytest.raises(BadRequestError):
        check_traffic(traffic, {}, [BLUE, GREEN])


@pytest.mark.parametrize("state", sorted(set(State) - {State.SUCCEEDED}))
def test_a_deployment_that_has_not_succeeded_gains_no_traffic(state: State) -> None:
    with pytest.raises(BadRequestError, match="not ready"):
        check_traffic({"blue": 90, "green": 10}, {"blue": 100}, [BLUE, replace(GREEN, state=state)])


def test_a_deployment_that_has_not_succeeded_may_lose_traffic_so_that_rolling_back_works() -> None:
    green = replace(GREEN, state=State.UPDATE_FAILED)
    check_traffic({"blue": 95, "green": 5}, {"blue": 90, "green": 10}, [BLUE, green])


@pytest.mark.parametrize("event", [Event.PUT, Event.DELETE])
@pytest.mark.parametrize("state", [State.CREATING, State.UPDATING, State.DELETING])
def test_a_second_operation_on_a_resource_is_refused_while_one_is_under_way(state: State, event: Event) -> None:
    with pytest.raises(ConflictError, match="another operation is under way"):
        follow("blue", state, event)


def test_a_deployment_that_failed_at_first_must_be_deleted() -> None:
    with pytest.raises(BadRequestError, match=r"unrecoverable state\. Delete and re-create\."):
        follow("blue", State.CREATION_FAILED, Event.PUT)
    assert follow("blue", State.CREATION_FAILED, Event.DELETE) is State.DELETING


def test_every_state_leads_back_to_absent() -> None:
    reached = {State.ABSENT}
    for _ in State:
        reached |= {before for (before, _), after in TRANSITIONS.items() if after in reached}
    assert reached == set(State)


def test_both_failures_are_failed_on_the_wire() -> None:
    assert {wire_state(State.CREATION_FAILED), wire_state(State.UPDATE_FAILED)} == {"Failed"}
    assert wire_state(State.UPDATING) == "Updating"


def test_the_split_follows_the_weights() -> None:
    rng = random.Random(1)  # noqa: S311 - it splits traffic, it keeps no secret
    drawn = Counter(choose_deployment({"blue": 90, "green": 10}, rng) for _ in range(20_000))
    # Four standard deviations of a binomial share of 0.1 over 20,000 draws are 170.
    assert abs(drawn["green"] - 2_000) < 170
    assert drawn["blue"] + drawn["green"] == 20_000


def test_a_deployment_without_weight_is_never_drawn() -> None:
    rng = random.Random(2)  # noqa: S311 - it splits traffic, it keeps no secret
    assert {choose_deployment({"blue": 0, "green": 100}, rng) for _ in range(1_000)} == {"green"}
    assert choose_deployment({"blue": 0}, rng) is None
    assert choose_deployment({}, rng) is None


@pytest.mark.parametrize("header", [f"Bearer {KEYS.primary}", f"bearer {KEYS.secondary}"])
def test_either_key_opens_the_endpoint(header: str) -> None:
    assert is_key_of(header, KEYS)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Bearer " + "c" * 32, KEYS.primary, f"Basic {KEYS.primary}", "Bearer é"]
)
def test_nothing_else_opens_the_endpoint(header: str) -> None:
    assert not is_key_of(header, KEYS)


def test_keys_do_not_show_in_a_representation() -> None:
    assert "a" * 32 not in repr(KEYS)
    assert "b" * 32 not in repr(KEYS)


def test_a_client_request_id_keeps_40_allowed_characters() -> None:
    assert clean_client_request_id("a b\t<c>_-1") == "abc_-1"
    assert clean_client_request_id("x" * 41) == "x" * 40


def test_every_refusal_shows_its_code_and_message() -> None:
    error: AzureError = BadRequestError("no", code="Why")
    assert str(error) == "Why: no"
