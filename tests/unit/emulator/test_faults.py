import pytest

from deployment.emulator.faults import (
    ControlFault,
    DataFault,
    Delay,
    Drop,
    EndOperation,
    FaultEffect,
    Faults,
    Refuse,
)

pytestmark = pytest.mark.unit
CONFLICT = Refuse(status=409)


def struck(faults: Faults, call: str, times: int, resource: str = "diabetes") -> list[bool]:
    return [faults.for_call(call, resource) is not None for _ in range(times)]


def test_a_fault_strikes_after_so_many_calls_and_so_many_times() -> None:
    faults = Faults()
    faults.add(ControlFault(call="endpoints.put", effect=CONFLICT, after=2, times=2))
    assert struck(faults, "endpoints.put", 6) == [False, False, True, True, False, False]


def test_a_fault_without_a_number_of_times_never_runs_out() -> None:
    faults = Faults()
    faults.add(ControlFault(call="endpoints.put", effect=CONFLICT, times=None))
    assert all(struck(faults, "endpoints.put", 20))


def test_a_fault_strikes_the_call_and_the_resource_that_it_names() -> None:
    faults = Faults()
    placed = faults.add(ControlFault(call="deployments.*", resource="diabetes/blue", effect=CONFLICT, times=None))
    assert faults.for_call("deployments.put", "diabetes/green") is None
    assert faults.for_call("endpoints.put", "diabetes/blue") is None
    assert faults.for_call("deployments.getLogs", "diabetes/blue") is not None
    assert (placed.matched, placed.struck) == (1, 1)


def test_the_first_fault_that_is_due_strikes_and_the_next_waits() -> None:
    faults = Faults()
    faults.add(ControlFault(call="*", effect=Drop()))
    faults.add(ControlFault(call="*", effect=Delay(delay_ms=5)))
    effects = [faults.for_call("endpoints.get", "diabetes") for _ in range(3)]
    assert [effect and effect.effect.kind for effect in effects] == ["drop", "delay", None]


def test_a_fault_of_an_operation_does_not_strike_the_call_that_starts_it() -> None:
    faults = Faults()
    faults.add(ControlFault(call="deployments.put", effect=EndOperation(ends="Failed")))
    assert faults.for_call("deployments.put", "diabetes/blue") is None
    assert faults.for_operation("deployments.put", "diabetes/blue") is not None
    assert faults.for_operation("deployments.put", "diabetes/blue") is None


def test_a_fault_that_was_taken_away_strikes_no_more_and_lets_go_what_it_held() -> None:
    faults = Faults()
    placed = faults.add(ControlFault(call="*", effect=EndOperation(ends="Never"), times=None))
    faults.clear()
    assert placed.lifted.is_set()
    assert faults.for_operation("deployments.put", "diabetes/blue") is None
    assert faults.remove(placed.id) is None


def test_the_same_seed_draws_the_same_requests() -> None:
    def drawn(seed: int | None) -> list[bool]:
        faults = Faults(seed)
        faults.add(DataFault(endpoint="diabetes", status=503, ratio=0.3))
        return [faults.for_request("diabetes", "blue") is not None for _ in range(400)]

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)
    assert 80 < sum(drawn(7)) < 160


def test_a_scored_request_gets_all_delays_and_the_first_status() -> None:
    faults = Faults()
    assert faults.for_request("diabetes", "blue") is None
    faults.add(DataFault(endpoint="diabetes", delay_ms=100))
    faults.add(DataFault(endpoint="diabetes", deployment="green", delay_ms=50, status=503, times=1))
    assert faults.for_request("diabetes", "green") == FaultEffect(150.0, 503)
    assert faults.for_request("diabetes", "green") == FaultEffect(100.0, None)
    assert faults.for_request("diabetes", "blue") == FaultEffect(100.0, None)
    assert faults.for_request("other", "blue") is None
