"""The calls that the control plane has answered, by name and in order."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

KEPT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call; status 0 is a connection that was broken off, is_struck tells that a fault was asked for.

    resource is what the call is about (`diabetes`, `diabetes/blue`, `env/7`); for the polls of an operation, what the
    operation is about.
    """

    number: int
    call: str
    method: str
    resource: str
    status: int
    is_struck: bool


class Calls:
    """The latest 10,000 calls."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._calls: deque[Call] = deque(maxlen=KEPT)

    def begin(self, call: str, method: str, resource: str, *, is_struck: bool) -> Callable[[int], None]:
        """Give a call its number; what is answered records it with the status that it ended with."""
        number = next(self._numbers)

        def end(status: int) -> None:
            recorded = Call(
                number=number, call=call, method=method, resource=resource, status=status, is_struck=is_struck
            )
            self._calls.append(recorded)

        return end

    def all(self, *, after: int = 0) -> list[Call]:
        """Answer the calls whose number is greater, in the order in which they came."""
        return sorted((each for each in self._calls if each.number > after), key=lambda each: each.number)

    def clear(self) -> None:
        """Forget all calls; the numbers go on."""
        self._calls.clear()
