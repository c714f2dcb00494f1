"""What is sent: a model's golden requests, or a file of the user's own with one request a line."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_BYTES = 64 * 1024 * 1024


class PayloadsError(Exception):
    """A file of payloads cannot be used; the message names file, line, fault and what to do."""


@dataclass(frozen=True)
class Payload:
    """One request body, as it is sent."""

    id: str
    body: str


def read_payloads(path: Path) -> list[Payload]:
    """Read golden requests (.json), or JSON lines (.jsonl): a body a line, or an object of `id` and `body`.

    Raises PayloadsError.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PayloadsError(f"payloads: {path} is over {MOST_BYTES // 1024 // 1024} MiB; a sample of it will do")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PayloadsError(f"payloads: {path} cannot be read ({error})") from error
    found = of_lines(path, text) if path.suffix == ".jsonl" else of_golden_requests(path, text)
    if not found:
        raise PayloadsError(f"payloads: {path} holds no request; one is needed at least")
    return found


def of_golden_requests(path: Path, text: str) -> list[Payload]:
    try:
        return [Payload(str(request["id"]), json.dumps(request["body"])) for request in json.loads(text)["requests"]]
    except (ValueError, KeyError, TypeError) as error:
        raise PayloadsError(
            f"payloads: {path} is no golden_requests.json ({error!r}); a file of your own ends in .jsonl, "
            'with a request a line, such as {"data": [[1.5, 2.0]]}'
        ) from error


def of_lines(path: Path, text: str) -> list[Payload]:
    found, seen = [], set()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except ValueError as error:
            raise PayloadsError(f"payloads: {path}, line {number} is no JSON ({error})") from error
        payload = of_document(document, number)
        if payload.id in seen:
            raise PayloadsError(f"payloads: {path}, line {number} has the id {payload.id} of an earlier line")
        seen.add(payload.id)
        found.append(payload)
    return found


def of_document(document: Any, number: int) -> Payload:
    if isinstance(document, dict) and document.keys() == {"id", "body"}:
        return Payload(str(document["id"]), json.dumps(document["body"]))
    return Payload(f"line-{number}", json.dumps(document))
