"""Signals: one ends a release in good order, and none may end the way back."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# SIGHUP is what a terminal that is closed sends.
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def stop(signal_number: int, _frame: FrameType | None) -> None:
    """End with the traffic taken back and everything closed."""
    raise SystemExit(128 + signal_number)


def heed() -> None:
    """Let every stopping signal end this process in good order.

    So does SIGINT where a script that started it with `&` let it be ignored; what `nohup` set for SIGHUP stays.
    """
    for each in STOPPING:
        if not (each is signal.SIGHUP and signal.getsignal(each) is signal.SIG_IGN):
            signal.signal(each, stop)


@contextmanager
def undisturbed(note: Callable[[str], None]) -> Iterator[None]:
    """Hold off SIGINT, SIGTERM and SIGHUP while the block runs; `note` is told of each."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def heed_not(signal_number: int, _frame: FrameType | None) -> None:
        note(f"{signal.Signals(signal_number).name} has to wait until the traffic is where it belongs")

    before = {each: signal.signal(each, heed_not) for each in STOPPING}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
