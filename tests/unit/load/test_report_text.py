"""Keys never appear in a report, whatever brought them into a text."""

import time
from dataclasses import replace

import pytest

from load.report import (
    ContainerLog,
    JournalEntry,
    LogEvent,
    SmokeCheck,
    render_comment,
    render_html,
    render_json,
    render_junit,
    render_markdown,
)
from load.report_text import readable, redacted, short_and_shown, shortened
from tests.lib.load_samples import STARTED, start_logs
from tests.lib.report_samples import sample

pytestmark = pytest.mark.unit

KEY = "q7Zt4Wm9Xc2Vb6Nf1Lk8Jh3Gd5Sa0Pe"
TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOi.eyJhdWQiOiJodHRwczovL21s.c2lnbmF0dXJlIG9mIGl0"  # noqa: S105 - nobody's
AZURE_KEY = f"{'3fKz' * 13}JQQJ99{'AKAC' * 6}"
SECRETS = [
    f"Authorization: Bearer {KEY}",
    f'{{"authorization": "Bearer {KEY}"}}',
    f'{{"message": "{{\\"Authorization\\": \\"Bearer {KEY}\\"}}"}}',
    f"headers={{'Authorization': 'Bearer {KEY}'}}",
    f"curl -H 'authorization:Bearer {KEY}'",
    f"Authorization: Basic {KEY}",
    f"Bearer {KEY}",
    f"api_key={KEY}",
    f"api-key: {KEY}",
    f"AccountKey={KEY};EndpointSuffix=core.windows.net",
    f"AZUREML_ENDPOINT_KEY={KEY}",
    f"Ocp-Apim-Subscription-Key: {KEY}",
    f"https://account.blob.core.windows.net/models?sv=2026&sig={KEY}&se=2026",
    f"https://somebody:{KEY}@example.com/simple",
    f"https://{KEY}@example.com/simple",
    f"password = '{KEY}'",
    f"client_secret={KEY}",
    f"the token is {TOKEN}",
    f"ghp_{KEY}0000",
    f"github_pat_{KEY}",
    f"the key {AZURE_KEY} was refused",
    f"-----BEGIN RSA PRIVATE KEY-----\n{KEY}\n{KEY}\n-----END RSA PRIVATE KEY-----",
    f"-----BEGIN PRIVATE KEY-----\n{KEY}",
]
HARMLESS = [
    "diabetes@sha256:3f7a9c20b4d1e65f8890aa17c2be43d5f60718293a4b5c6d7e8f90123456789a",
    "KeyError: 'mean_radius_of_the_tumour'",
    "missing key: predictions_of_the_customer",
    "Bearer authentication failed",
    "max_tokens=1000000",
    "the key was refused (401)",
    "design: compact-table-of-everything",
    "see https://example.com/runs/1?attempt=2",
    "commit 83a99bd483a99bd483a99bd483a99bd483a99bd4",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_key_is_not_shown_and_the_line_says_that_there_was_one(text: str) -> None:
    shown = redacted(f"before {text} after")
    assert not any(secret in shown for secret in (KEY, TOKEN, AZURE_KEY))
    assert "***" in shown
    assert shown.startswith("before ")
    assert shown.count("\n") == text.count("\n")


@pytest.mark.parametrize("text", SECRETS)
def test_a_text_that_is_redacted_again_stays_as_it_is(text: str) -> None:
    assert redacted(redacted(text)) == redacted(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_key_is_shown_as_it_is(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("secret", SECRETS)
def test_no_report_has_a_key_that_any_of_its_texts_brought(secret: str) -> None:
    started = sample("failing")
    assert started.verdict is not None
    criteria = tuple(replace(each, reason=secret) for each in started.verdict.criteria)
    errors = tuple(replace(each, meaning=secret, request_ids=(secret,)) for each in started.verdict.errors)
    report = replace(
        started,
        sentence=secret,
        next_action=secret,
        verdict=replace(started.verdict, sentence=secret, criteria=criteria, errors=errors),
        smoke=(SmokeCheck("golden-00", secret, secret, secret),),
        journal=(JournalEntry(STARTED, "shifting", secret, {"blue": 100}),),
        facts={"fact": secret},
        replay_command=secret,
        logs=(ContainerLog("server", (("step", secret),), (LogEvent(secret, secret, "Warning", secret),), secret),),
    )
    links = {"run": secret, secret: "https://example.com"}
    for text in (
        render_html(report),
        render_markdown(report),
        render_comment(report, links),
        render_json(report),
        render_junit(report),
    ):
        assert KEY not in text
        assert TOKEN not in text
        assert AZURE_KEY not in text


def test_a_private_key_is_not_shown_where_only_its_end_is_among_the_last_lines() -> None:
    body = [f"{KEY}{number}" for number in range(60)]
    lines = "\n".join(["-----BEGIN PRIVATE KEY-----", *body, "-----END PRIVATE KEY-----", "done"])
    report = replace(sample("unstarted"), logs=(ContainerLog("server", (), (), lines),))
    assert KEY not in render_markdown(report)
    assert "done" in render_markdown(report)


def test_a_key_in_the_middle_of_a_very_long_line_is_not_shown_in_part() -> None:
    for before in range(0, 2000, 37):
        line = f"{'x' * before} api_key={KEY} {'y' * 3000}"
        assert KEY[:8] not in short_and_shown(line, 400)
        assert KEY[-8:] not in short_and_shown(line, 400)


@pytest.mark.parametrize(
    "part",
    [
        "a-",
        "key",
        "key=",
        "eyJ",
        "x.eyJ",
        "token: ",
        'token=\\"',
        "bearer ",
        "://",
        "-----BEGIN PRIVATE KEY-----",
        "=  ",
    ],
)
def test_the_time_to_look_for_keys_grows_with_the_text_and_no_faster(part: str) -> None:
    started_s = time.monotonic()
    redacted(part * (300_000 // len(part)))
    assert time.monotonic() - started_s < 3


def test_what_cannot_be_seen_is_marked_and_colours_are_dropped() -> None:
    assert readable("\x1b[31mred\x1b[0m\x00\u202e\t.") == "red\ufffd\ufffd\t."


@pytest.mark.parametrize("most", [10, 11, 100])
def test_what_is_shortened_keeps_its_beginning_and_its_end(most: int) -> None:
    text = "".join(map(str, range(1000)))
    short = shortened(text, most)
    assert len(short) == most
    first, last = short.split(" … ")
    assert text.startswith(first)
    assert text.endswith(last)


def test_logs_without_a_key_are_shown_word_for_word() -> None:
    report = replace(sample("unstarted"), logs=start_logs())
    assert "***" not in render_html(report)
