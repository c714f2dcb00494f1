"""The emulator: whether this environment leads to one, and whether it answers."""

import ssl
from collections.abc import Callable, Iterator, Mapping

import httpx

from deployment.azure_names import CLOUD, EMULATED_CLOUD, METADATA_ADDRESS, points_at_emulator
from deployment.doctor.rows import Row, fail, ok, skipped

GROUP = "emulator"
BUNDLE = "REQUESTS_CA_BUNDLE"
TIMEOUT_S = 3.0
ANEW = "run `make emulator` and export what it prints, or open a terminal in which nothing of it was exported"


def is_lost(rows: tuple[Row, ...]) -> bool:
    """Tell whether the rows say that what is pointed at cannot be used."""
    return any(row.standing == "fail" for row in rows)


def emulator_rows(environ: Mapping[str, str], ask: Callable[[str, str], str] | None = None) -> Iterator[Row]:
    """Yield whether the environment leads to an emulator that is there; `ask` returns what is wrong, or nothing."""
    if not points_at_emulator(environ):
        yield skipped(GROUP, "environment", "points at none", "make emulator starts one and prints what to export")
        return
    address, cloud = environ.get(METADATA_ADDRESS, ""), environ.get(CLOUD, "")
    if not address:
        yield fail(GROUP, "environment", f"{CLOUD} is {cloud}, and {METADATA_ADDRESS} is not set", ANEW)
        return
    if cloud != EMULATED_CLOUD:
        told = f"{METADATA_ADDRESS} is set, and {CLOUD} is {cloud!r}: the SDK would talk to the public Azure"
        yield fail(GROUP, "environment", told, f"export {CLOUD}={EMULATED_CLOUD}")
        return
    yield ok(GROUP, "environment", f"points at {address.partition('/metadata')[0]}")
    if wrong := (ask or what_is_wrong)(address, environ.get(BUNDLE, "")):
        yield fail(GROUP, "answers", wrong, ANEW)
    else:
        yield ok(GROUP, "answers", "as an emulator does")


def what_is_wrong(address: str, bundle: str) -> str:
    """Ask an emulator who it is; return what is wrong with its answer, and nothing where nothing is."""
    try:
        trusted = ssl.create_default_context(cafile=bundle or None)
        with httpx.Client(verify=trusted, trust_env=False, timeout=TIMEOUT_S) as client:
            answer = client.get(address)
    except (httpx.HTTPError, OSError) as error:
        return f"no answer ({error})"
    if not answer.is_success or EMULATED_CLOUD not in answer.text:
        return f"{answer.status_code}, which is no emulator's answer"
    return ""
