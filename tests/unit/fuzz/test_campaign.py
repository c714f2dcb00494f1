from itertools import islice
from pathlib import Path

import pytest

from fuzz.__main__ import write
from fuzz.bodies import bodies
from fuzz.campaign import Campaign, run
from fuzz.fields import MIXED, NUMBERS, Field
from fuzz.oracle import expect
from fuzz.targets import Seen, Target, decoder_target

pytestmark = pytest.mark.unit


def test_the_same_seed_makes_the_same_bodies() -> None:
    first, again, other = (list(islice(bodies(NUMBERS, seed), 200)) for seed in (1, 1, 2))
    assert first == again != other


def test_bodies_are_of_every_sort() -> None:
    expected = [expect(body, NUMBERS, 10) for body in islice(bodies(NUMBERS, 1), 1000)]
    assert 150 < sum(each.rows is not None for each in expected) < 600
    assert {400, 422} <= {status for each in expected if each.rows is None for status in each.statuses}


def faulty(body: bytes) -> Seen:
    """Accept everything, whatever the body; complain where there is a true in it."""
    return Seen("accepted", f"took {len(body)} bytes with true" if b"true" in body else None)


def test_a_violation_is_found_once_and_made_small() -> None:
    campaign = run(Target("faulty", NUMBERS, faulty), seed=1, seconds=0.5, progress=lambda _: None)
    assert [finding.body for finding in campaign.findings] == [b"true"]
    assert campaign.cases == campaign.outcomes["accepted"] > 1


def test_a_decoder_that_raises_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object) -> None:
        raise KeyError("rows")

    monkeypatch.setattr("fuzz.targets.decode", decode)
    seen = decoder_target("decoder", NUMBERS, "array").give(b"{}")
    assert seen == Seen("raised", "raised KeyError: 'rows'")


@pytest.mark.parametrize(
    ("fields", "model_input"), [(NUMBERS, "array"), (MIXED, "data_frame"), (NUMBERS, "data_frame")]
)
def test_the_decoder_does_to_3000_bodies_what_the_contract_says(fields: tuple[Field, ...], model_input: str) -> None:
    target = decoder_target("decoder", fields, model_input)
    found = {
        body: seen.violation for body in islice(bodies(target.fields, 7), 3000) if (seen := target.give(body)).violation
    }
    assert not found


def test_the_body_of_a_finding_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    campaign = run(Target("faulty server", NUMBERS, faulty), seed=1, seconds=0.2, progress=lambda _: None)
    write(tmp_path, 1, [campaign, Campaign("sound")])
    assert (tmp_path / "fuzz" / "faulty-server-1.bin").read_bytes() == b"true"
    assert "1 violations" in capsys.readouterr().out
