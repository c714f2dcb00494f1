"""What is sent: a model's golden requests, or a file of the user's own with one request a line."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_BYTES = 64 * 1024 * 1024


class PayloadsError(Exception):
    """A file of payloads cannot be used; the message names file, line, fault and what to do."""


@dataclass(frozen=True)
class Payload:
    """One request body, as it is sent, and what the rows call it."""

    id: str
    body: bytes


def read_payloads(path: Path) -> list[Payload]:
    """Read golden requests (.json), or JSON lines (.jsonl): a body a line, or an object of `id` and `body`.

    A line that is a body is sent as it stands there. Raises PayloadsError.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PayloadsError(f"payloads: {path} is over {MOST_BYTES // 1024 // 1024} MiB; a sample of it will do")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PayloadsError(f"payloads: {path} cannot be read ({error})") from error
    found = list(of_lines(path, text) if path.suffix == ".jsonl" else of_golden_requests(path, text))
    if not found:
        raise PayloadsError(f"payloads: {path} holds no request; one is needed at least")
    refuse_the_same_id(path, found)
    return found


def of_golden_requests(path: Path, text: str) -> Iterable[Payload]:
    try:
        requests = [(request["id"], request["body"]) for request in json.loads(text)["requests"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PayloadsError(
            f"payloads: {path} is no golden_requests.json ({error!r}); a file of your own ends in .jsonl, "
            'with a request a line, such as {"data": [[1.5, 2.0]]}'
        ) from error
    for number, (name, body) in enumerate(requests):
        yield Payload(id_of(name, f"{path}, request {number}"), json.dumps(body).encode())


def of_lines(path: Path, text: str) -> Iterable[Payload]:
    # Not splitlines(): a text within a body may hold other characters that end lines there.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise PayloadsError(f"payloads: {where} is no JSON ({error})") from error
        if isinstance(document, dict) and document.keys() == {"id", "body"}:
            yield Payload(id_of(document["id"], where), json.dumps(document["body"]).encode())
        else:
            yield Payload(f"line-{number}", line.strip().encode())


def id_of(value: Any, where: str) -> str:
    """Return the id as text; rows have a line each, so it may not hold what ends one."""
    name = str(value)
    if isinstance(value, bool) or not isinstance(value, str | int) or not name or not name.isprintable():
        raise PayloadsError(f"payloads: {where} has the id {value!r}; an id is a printable text, or a whole number")
    return name


def refuse_the_same_id(path: Path, found: list[Payload]) -> None:
    seen: set[str] = set()
    for payload in found:
        if payload.id in seen:
            raise PayloadsError(f"payloads: {path} has the id {payload.id} twice; each needs one of its own")
        seen.add(payload.id)
