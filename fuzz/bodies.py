"""Bodies that are right, and bodies that were right before something was done to them; the same for the same seed."""

import json
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from fuzz.fields import Field

Document = Any
MOST_ROWS = 4
MOST_MUTATIONS = 3
TOKENS = (
    *("null", "true", "false", "NaN", "Infinity", "-Infinity", "nan", "undefined", "None", "0x10", "01", "1.", ".5"),
    *("+1", "--1", "1e", "1e999", "-1e999", "1e308", "1e-400", "-0", "1E5", "1_000", "9" * 30, "9" * 400, "9" * 5000),
    *("9007199254740993", "18446744073709551616", '"1"', '""', '"a"', '"\\ud800"', '"\\u0000"', '"\\x41"', "'1'"),
    *("[]", "{}", "[1]", "[[1]]", '{"a":1}', "[", "]", "{", "}", ",", ":", '"', "\\", "/**/", "\t", "\n", "\x00"),
    *("[" * 60 + "]" * 60, "[" * 3000, '{"a":' * 3000, '"data":[[1]],', '"columns":[],', '"data"', "data"),
)
KEYS = ("data", "columns", "index", "Data", "data ", "inputs", "instances", "", "__proto__", "\ud800", "age", "x" * 300)
JUNK = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\x00", b"\xef\xbb\xbf", b"\x1f\x8b\x08", b"\xf0\x9f\x98\x80", b" " * 50)


def bodies(fields: Sequence[Field], seed: int) -> Iterator[bytes]:
    """Yield bodies without end: one in eight is right, the others are likely not."""
    random = Random(seed)  # noqa: S311 - the same bodies again is what it is for
    while True:
        document = valid_document(fields, random)
        if random.randrange(8) == 0:
            yield encode(document, random)
            continue
        for _ in range(random.randint(0, 2)):
            document = random.choice(DOCUMENT_MUTATIONS)(document, random)
        body = encode(document, random)
        for _ in range(random.randint(0, MOST_MUTATIONS)):
            body = random.choice(BYTE_MUTATIONS)(body, random)
        yield body


def valid_document(fields: Sequence[Field], random: Random) -> dict[str, Any]:
    """Return a document in one of the three forms."""
    rows = [[field.valid_cell(random) for field in fields] for _ in range(random.randint(1, MOST_ROWS))]
    names = [field.name for field in fields]
    match random.randrange(3):
        case 0:
            return {"data": rows}
        case 1:
            order = random.sample(range(len(fields)), len(fields))
            document = {"columns": [names[index] for index in order], "data": [[row[i] for i in order] for row in rows]}
            return document if random.random() < 0.5 else dict(reversed(document.items()))  # noqa: PLR2004 - a coin
        case _:
            return {"data": [shuffled(dict(zip(names, row, strict=True)), random) for row in rows]}


def shuffled(record: dict[str, Any], random: Random) -> dict[str, Any]:
    items = list(record.items())
    random.shuffle(items)
    return dict(items)


def encode(document: Document, random: Random) -> bytes:
    """Write the document in one of the ways that JSON allows."""
    text = json.dumps(
        document,
        ensure_ascii=random.random() < 0.5,  # noqa: PLR2004 - a coin
        indent=random.choice([None, None, 1]),
        separators=random.choice([None, (",", ":"), (" , ", " : ")]),
    )
    return text.encode("utf-8", "surrogatepass")


def _containers(document: Document) -> list[Any]:
    """Return every list and object in the document, itself first."""
    found, open_ones = [], [document]
    while open_ones:
        value = open_ones.pop()
        if isinstance(value, list | dict):
            found.append(value)
            open_ones.extend(value if isinstance(value, list) else value.values())
    return found


def _drop(document: Document, random: Random) -> Document:
    container = random.choice(_containers(document) or [[]])
    if container:
        key = random.choice(list(container)) if isinstance(container, dict) else random.randrange(len(container))
        del container[key]
    return document


def _add(document: Document, random: Random) -> Document:
    container = random.choice(_containers(document) or [[]])
    if isinstance(container, dict):
        container[random.choice(KEYS)] = _odd_value(random)
    else:
        container.insert(random.randint(0, len(container)), _odd_value(random))
    return document


def _replace(document: Document, random: Random) -> Document:
    container = random.choice(_containers(document) or [[]])
    if container:
        key: Any = random.choice(list(container)) if isinstance(container, dict) else random.randrange(len(container))
        container[key] = _odd_value(random)
    return document


def _rename(document: Document, random: Random) -> Document:
    objects = [container for container in _containers(document) if isinstance(container, dict) and container]
    if objects:
        chosen = random.choice(objects)
        chosen[random.choice(KEYS)] = chosen.pop(random.choice(list(chosen)))
    return document


def _repeat(document: Document, random: Random) -> Document:
    lists = [container for container in _containers(document) if isinstance(container, list) and container]
    if lists:
        chosen = random.choice(lists)
        chosen.append(random.choice(chosen))
    return document


def _wrap(document: Document, random: Random) -> Document:
    return random.choice([[document], {"data": document}, {"body": document}, document])


def _odd_value(random: Random) -> Any:
    return random.choice(
        [
            None,
            True,
            False,
            "1",
            "",
            "\ud800",
            [],
            {},
            [1.0],
            {"a": 1},
            10**30,
            2**63,
            1.5,
            0,
            float("nan"),
            float("inf"),
        ]
    )


def _truncate(body: bytes, random: Random) -> bytes:
    return body[: random.randint(0, len(body))]


def _delete(body: bytes, random: Random) -> bytes:
    start = random.randint(0, len(body))
    return body[:start] + body[start + random.randint(1, 8) :]


def _insert_token(body: bytes, random: Random) -> bytes:
    at = random.randint(0, len(body))
    return body[:at] + random.choice(TOKENS).encode() + body[at:]


def _insert_junk(body: bytes, random: Random) -> bytes:
    at = random.choice([0, len(body), random.randint(0, len(body))])
    return body[:at] + random.choice(JUNK) + body[at:]


def _replace_number(body: bytes, random: Random) -> bytes:
    """Put a token where a number begins, in the place of the rest of it."""
    digits = [at for at, byte in enumerate(body) if 0x30 <= byte <= 0x39]  # noqa: PLR2004 - 0 to 9
    if not digits:
        return body
    start = end = random.choice(digits)
    number = b"0123456789.eE+-"
    while start and body[start - 1] in number:
        start -= 1
    while end < len(body) and body[end] in number:
        end += 1
    return body[:start] + random.choice(TOKENS).encode() + body[end:]


def _flip(body: bytes, random: Random) -> bytes:
    if not body:
        return body
    at = random.randrange(len(body))
    return body[:at] + bytes([body[at] ^ (1 << random.randrange(8))]) + body[at + 1 :]


def _double(body: bytes, random: Random) -> bytes:
    start = random.randint(0, len(body))
    end = min(len(body), start + random.randint(1, 40))
    return body[:end] + body[start:end] + body[end:]


def _recode(body: bytes, random: Random) -> bytes:
    text = body.decode("utf-8", "replace")
    return text.encode(random.choice(["utf-16", "utf-32-le", "utf-8-sig", "cp037"]), "replace")


DOCUMENT_MUTATIONS: tuple[Callable[[Document, Random], Document], ...] = (
    _drop,
    _add,
    _replace,
    _rename,
    _repeat,
    _wrap,
)
BYTE_MUTATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (
    *(_truncate, _delete, _insert_token, _insert_junk, _flip, _double),
    *(_replace_number, _replace_number, _recode),
)
