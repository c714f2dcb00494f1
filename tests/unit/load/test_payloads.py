import json
from pathlib import Path
from typing import Any

import pytest

from load import payloads
from load.payloads import Payload, PayloadsError, read_payloads

pytestmark = pytest.mark.unit


def golden(path: Path, requests: Any) -> Path:
    path.write_text(json.dumps({"absolute_tolerance": 0, "relative_tolerance": 0, "requests": requests}))
    return path


def lines(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "own.jsonl"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_golden_requests_are_sent_under_their_own_ids(tmp_path: Path) -> None:
    requests = [{"id": f"golden-{n}", "body": {"data": [[n, 0.5]]}, "predictions": [1.0]} for n in range(2)]
    assert read_payloads(golden(tmp_path / "golden_requests.json", requests)) == [
        Payload("golden-0", b'{"data": [[0, 0.5]]}'),
        Payload("golden-1", b'{"data": [[1, 0.5]]}'),
    ]


def test_a_line_that_is_a_body_is_sent_as_it_stands_there(tmp_path: Path) -> None:
    path = lines(tmp_path, '{"data": [[1e400,  2.0]]}\n\n  [1]  \r\n"text"')
    assert read_payloads(path) == [
        Payload("line-1", b'{"data": [[1e400,  2.0]]}'),
        Payload("line-3", b"[1]"),
        Payload("line-4", b'"text"'),
    ]


def test_a_line_may_name_its_body_by_text_or_number(tmp_path: Path) -> None:
    path = lines(
        tmp_path, '{"id": "Zürich", "body": [1, {"a": null}]}\n{"id": 7, "body": 2}\n{"id": 1, "body": 2, "c": 3}'
    )
    assert read_payloads(path) == [
        Payload("Zürich", b'[1, {"a": null}]'),
        Payload("7", b"2"),
        Payload("line-3", b'{"id": 1, "body": 2, "c": 3}'),
    ]


def test_a_mark_of_the_byte_order_and_separators_within_a_text_do_no_harm(tmp_path: Path) -> None:
    text = '["a\u2028b\u0085c"]'
    path = lines(tmp_path, b"\xef\xbb\xbf" + f"{text}\n".encode())
    assert read_payloads(path) == [Payload("line-1", text.encode())]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", r"own\.jsonl holds no request; one is needed at least"),
        (" \n\n", r"own\.jsonl holds no request; one is needed at least"),
        ('{"data": [[1]]}\n{"data": ', r"own\.jsonl, line 2 is no JSON \(Expecting value: "),
        ("[" * 100_000, r"own\.jsonl, line 1 is no JSON \(maximum recursion depth"),
        ('{"id": "a", "body": 1}\n{"id": "a", "body": 2}', r"own\.jsonl has the id a twice; each needs one of its own"),
        ('{"id": "line-2", "body": 1}\n[2]', r"own\.jsonl has the id line-2 twice"),
        ('[1]\n{"id": "a\\nb", "body": 1}', r"line 2 has the id 'a\\nb'; an id is a printable text, or a whole number"),
        ('{"id": "", "body": 1}', r"line 1 has the id ''"),
        ('{"id": null, "body": 1}', r"line 1 has the id None"),
        ('{"id": true, "body": 1}', r"line 1 has the id True"),
        ('{"id": 1.5, "body": 1}', r"line 1 has the id 1\.5"),
        (b"\xff\xfe", r"own\.jsonl cannot be read \('utf-8' codec"),
    ],
)
def test_what_is_wrong_with_a_file_of_ones_own_is_said_with_its_line(
    text: str | bytes, told: str, tmp_path: Path
) -> None:
    with pytest.raises(PayloadsError, match=told):
        read_payloads(lines(tmp_path, text))


@pytest.mark.parametrize(
    ("requests", "told"),
    [
        ([], r"golden_requests\.json holds no request"),
        (
            [{"id": "a"}],
            r"golden_requests\.json is no golden_requests\.json \(KeyError\('body'\)\); .* ends in \.jsonl",
        ),
        ([1], r"is no golden_requests\.json \(TypeError"),
        ([{"id": "a", "body": 1}, {"id": "a", "body": 1}], r"has the id a twice"),
        ([{"id": ["a"], "body": 1}], r"request 0 has the id \['a'\]"),
    ],
)
def test_what_is_wrong_with_golden_requests_is_said(requests: Any, told: str, tmp_path: Path) -> None:
    with pytest.raises(PayloadsError, match=told):
        read_payloads(golden(tmp_path / "golden_requests.json", requests))


@pytest.mark.parametrize("text", ["", "{", "[1]", "{}"])
def test_what_is_no_golden_file_is_named_and_another_form_shown(text: str, tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text(text)
    with pytest.raises(PayloadsError, match=r'own\.json is no golden_requests\.json .* such as \{"data": \[\[1\.5'):
        read_payloads(path)


def test_a_file_that_is_missing_or_too_large_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PayloadsError, match=r"missing\.jsonl cannot be read"):
        read_payloads(tmp_path / "missing.jsonl")
    path = lines(tmp_path, "[1]\n" * (1024 * 1024))
    monkeypatch.setattr(payloads, "MOST_BYTES", 3 * 1024 * 1024)
    with pytest.raises(PayloadsError, match=r"own\.jsonl is over 3 MiB; a sample of it will do"):
        read_payloads(path)
