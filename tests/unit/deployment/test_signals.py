"""Signals that come while the traffic goes back."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from deployment.signals import STOPPING, heed, stop, undisturbed

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Handle both signals as the command line does, and as before afterwards."""
    before = {each: signal.signal(each, stop) for each in STOPPING}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_ends_the_process_as_its_number_says(number: signal.Signals) -> None:
    with pytest.raises(SystemExit) as ended:
        os.kill(os.getpid(), number)
    assert ended.value.code == 128 + number


def test_an_interrupt_is_heeded_where_a_script_has_put_the_release_into_its_background() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    heed()
    with pytest.raises(SystemExit) as ended:
        os.kill(os.getpid(), signal.SIGINT)
    assert ended.value.code == 130


def test_a_terminal_that_is_closed_does_not_end_what_was_started_with_nohup() -> None:
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)
    heed()
    assert [signal.getsignal(each) for each in STOPPING] == [stop, stop, signal.SIG_IGN]


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_waits_while_it_must_not_disturb_and_is_told(number: signal.Signals) -> None:
    told: list[str] = []
    reached = False
    with undisturbed(told.append):
        os.kill(os.getpid(), number)
        reached = True
    assert reached
    assert told == [f"{number.name} has to wait until the traffic is where it belongs"]


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_afterwards_ends_the_process_again(number: signal.Signals) -> None:
    with undisturbed(lambda _: None):
        pass
    with pytest.raises(SystemExit):
        os.kill(os.getpid(), number)


def test_the_handlers_are_restored_after_an_error_too() -> None:
    with pytest.raises(KeyError), undisturbed(lambda _: None):
        raise KeyError
    assert [signal.getsignal(each) for each in STOPPING] == [stop for _ in STOPPING]


def test_one_block_inside_another_does_not_let_signals_through_early() -> None:
    told: list[str] = []
    with undisturbed(told.append):
        with undisturbed(told.append):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
    assert len(told) == 1
    assert signal.getsignal(signal.SIGTERM) is stop


def test_in_another_thread_it_leaves_the_handlers_as_they_are() -> None:
    seen: list[object] = []

    def go() -> None:
        with undisturbed(lambda _: None):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=go)
    thread.start()
    thread.join()
    assert seen == [stop]
