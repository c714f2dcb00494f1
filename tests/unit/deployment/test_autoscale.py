"""Autoscale follows the traffic: what is put, what is removed, and that it never changes how a release has ended."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from deployment import cli_monitoring
from deployment.autoscale import OWNER, OWNER_TAG, Plan, apply, follow, keep_size, make_plan, setting_of
from deployment.cli import app
from deployment.outcomes import BadInputError
from deployment.phases import Phase
from deployment.platform import Endpoint
from deployment.settings import AutoscaleSettings
from tests.lib.release_fakes import colour, make_record
from tests.lib.shipped import SETTINGS_FILE as SHIPPED
from tests.unit.deployment.autoscale_scene import ON, PREFIX, FakeScaling, ours
from tests.unit.deployment.scene import with_record

pytestmark = pytest.mark.unit


def serving(name: str | None, record: Any = None) -> Endpoint:
    endpoint = Endpoint(
        "diabetes", "", {name: 100} if name else {}, {}, {each: colour(each) for each in ("blue", "green")}
    )
    return with_record(endpoint, record) if record else endpoint


def test_a_setting_is_put_for_who_has_the_traffic_and_those_of_the_others_go() -> None:
    scaling = FakeScaling({"autoscale-diabetes-blue": ours("blue"), "autoscale-diabetes-red": ours("red")})
    plan = make_plan("diabetes", serving("green"), ON, scaling)
    apply(plan, scaling)
    assert scaling.found == {"autoscale-diabetes-green": ours("green")}
    assert scaling.asked == [
        "settings",
        "put autoscale-diabetes-green",
        "remove autoscale-diabetes-blue",
        "remove autoscale-diabetes-red",
    ]
    assert plan.lines(ON)[0] == (
        "put autoscale setting autoscale-diabetes-green: green has 2 to 5 instances, one more above 70 % CPU, one "
        "fewer below 30 %"
    )


def test_what_others_have_made_stays() -> None:
    by_hand = {**ours("blue"), "tags": None}
    elsewhere = setting_of("x", PREFIX.replace("diabetes", "diabetes-2") + "blue", "westeurope", ON)
    scaling = FakeScaling({"by hand": by_hand, "of another endpoint": elsewhere})
    assert make_plan("diabetes", serving("green"), ON, scaling).removed == ()


SOMEBODY_ELSES = [
    {**ours("green"), "tags": {"team": "operations"}},
    setting_of("x", PREFIX.replace("/w/", "/another/") + "green", "westeurope", ON),
]


@pytest.mark.parametrize("found", SOMEBODY_ELSES, ids=["not our tag", "of another workspace"])
def test_a_setting_of_that_name_that_others_have_made_is_named_and_left_as_it_is(found: dict[str, Any]) -> None:
    scaling = FakeScaling({"Autoscale-diabetes-green": found})
    with pytest.raises(BadInputError, match="the setting Autoscale-diabetes-green is there and was not made by this"):
        make_plan("diabetes", serving("green"), ON, scaling)
    with pytest.raises(BadInputError, match="the setting Autoscale-diabetes-green"):
        keep_size("diabetes", colour("green"), ON, scaling)
    assert "the setting Autoscale-diabetes-green" in follow_with(scaling)[1][0]
    assert scaling.found == {"Autoscale-diabetes-green": found}


@pytest.mark.parametrize(
    ("endpoint", "settings"),
    [(None, ON), (serving(None), ON), (serving("blue"), AutoscaleSettings())],
    ids=["no endpoint", "no traffic", "off"],
)
def test_where_nobody_is_to_be_scaled_all_of_ours_go(endpoint: Endpoint | None, settings: AutoscaleSettings) -> None:
    scaling = FakeScaling({"autoscale-diabetes-blue": ours("blue")})
    plan = make_plan("diabetes", endpoint, settings, scaling)
    assert plan == Plan(removed=("autoscale-diabetes-blue",))
    apply(plan, scaling)
    assert scaling.found == {}


def test_the_case_of_an_id_does_not_count_as_azure_changes_it() -> None:
    found = ours("blue")
    found["properties"]["targetResourceUri"] = found["properties"]["targetResourceUri"].lower()
    scaling = FakeScaling({"autoscale-diabetes-blue": found})
    assert make_plan("diabetes", serving("green"), ON, scaling).removed == ("autoscale-diabetes-blue",)


def test_while_a_release_is_under_way_nothing_is_planned() -> None:
    with pytest.raises(BadInputError, match="release r-2 is under way on diabetes"):
        make_plan("diabetes", serving("blue", make_record(Phase.SHIFTING)), ON, FakeScaling())


def test_the_setting_is_as_azures_reference_has_it() -> None:
    settings = AutoscaleSettings(
        enabled=True,
        minimum_instances=3,
        maximum_instances=9,
        out_above_cpu_percent=80,
        in_below_cpu_percent=20,
        window_s=600,
        out_cooldown_s=120,
        in_cooldown_s=1800,
    )
    document = setting_of("n", "/id", "westeurope", settings)
    assert document["tags"] == {OWNER_TAG: OWNER}
    (profile,) = document["properties"]["profiles"]
    assert profile["capacity"] == {"minimum": "3", "maximum": "9", "default": "3"}
    trigger = {
        "metricName": "CpuUtilizationPercentage",
        "metricResourceUri": "/id",
        "timeGrain": "PT1M",
        "statistic": "Average",
        "timeWindow": "PT10M",
        "timeAggregation": "Average",
    }
    assert profile["rules"] == [
        {
            "metricTrigger": {**trigger, "operator": "GreaterThan", "threshold": 80},
            "scaleAction": {"direction": "Increase", "type": "ChangeCount", "value": "1", "cooldown": "PT2M"},
        },
        {
            "metricTrigger": {**trigger, "operator": "LessThan", "threshold": 20},
            "scaleAction": {"direction": "Decrease", "type": "ChangeCount", "value": "1", "cooldown": "PT30M"},
        },
    ]


def follow_with(scaling: FakeScaling, settings: AutoscaleSettings = ON) -> tuple[list[str], list[str]]:
    said: list[str] = []
    warned: list[str] = []
    follow(
        lambda: (make_plan("diabetes", serving("green"), settings, scaling), scaling),
        settings,
        said.append,
        warned.append,
    )
    return said, warned


def test_after_a_release_it_follows_the_traffic() -> None:
    scaling = FakeScaling({"autoscale-diabetes-blue": ours("blue")})
    said, warned = follow_with(scaling)
    assert set(scaling.found) == {"autoscale-diabetes-green"}
    assert (len(said), warned) == (2, [])


def test_where_it_is_off_a_release_asks_azure_for_nothing() -> None:
    scaling = FakeScaling()
    assert follow_with(scaling, AutoscaleSettings()) == ([], [])
    assert scaling.asked == []


def test_a_refusal_after_a_release_is_a_warning_that_says_what_to_do() -> None:
    said, (warning,) = follow_with(FakeScaling(broken=True))
    assert said == []
    assert "no permission (AuthorizationFailed)" in warning
    assert "'Monitoring Contributor'" in warning
    assert "run `python -m deployment autoscale`" in warning


@pytest.mark.parametrize(
    "error", [KeyError("name"), TimeoutError("slow"), SystemExit(143)], ids=lambda error: type(error).__name__
)
def test_whatever_else_goes_wrong_is_a_warning_too(error: BaseException) -> None:
    def look() -> tuple[Plan, FakeScaling]:
        raise error

    warned: list[str] = []
    follow(look, ON, warned.append, warned.append)
    assert len(warned) == 1


@pytest.mark.parametrize("is_dry", [True, False], ids=["dry", "real"])
def test_a_dry_run_says_what_the_command_would_do_and_does_nothing(
    *, is_dry: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on = tmp_path / "release.toml"
    on.write_text(SHIPPED.read_text(encoding="utf-8").replace("enabled = false", "enabled = true"), encoding="utf-8")
    scaling = FakeScaling()
    monkeypatch.setattr(cli_monitoring, "connect", lambda *_: None)
    monkeypatch.setattr(
        cli_monitoring,
        "look",
        lambda _, settings: (make_plan("diabetes", serving("green"), settings, scaling), scaling),
    )
    command = ["autoscale", "--settings", str(on), *(["--dry-run"] if is_dry else [])]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert ("would put autoscale setting autoscale-diabetes-green" in " ".join(done.output.split())) is is_dry
    assert ('"metricName": "CpuUtilizationPercentage"' in done.output) is is_dry
    assert set(scaling.found) == (set() if is_dry else {"autoscale-diabetes-green"})


def test_a_dry_run_with_nothing_to_do_says_so_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = (Plan(), FakeScaling())
    monkeypatch.setattr(cli_monitoring, "connect", lambda *_: None)
    monkeypatch.setattr(cli_monitoring, "look", lambda *_: nothing)
    done = CliRunner().invoke(app, ["autoscale", "--settings", str(SHIPPED), "--dry-run"])
    assert done.output.strip() == "would do nothing: no autoscale setting to put or to remove"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"minimum_instances": 6}, r"minimum_instances \(6\) must be at most maximum_instances \(5\)"),
        ({"in_below_cpu_percent": 70}, r"in_below_cpu_percent \(70\) must be less than out_above_cpu_percent \(70\)"),
        ({"window_s": 240}, "greater than or equal to 300"),
        ({"out_cooldown_s": 90}, "multiple of 60"),
        ({"maximum_instances": 51}, "less than or equal to 50"),
        ({"schedule": "night"}, "Extra inputs are not permitted"),
    ],
    ids=range(6),
)
def test_a_wrong_value_is_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AutoscaleSettings.model_validate(values)
