"""The job's ID token, asked for as @actions/core does."""

import json
import os
import urllib.parse
import urllib.request

from tests.workflows.stand_ins.inputs import RefusedError

TIMEOUT_S = 10


def fetch(audience: str) -> str:
    """Answer an ID token for an audience; refused where the job may not have one."""
    url, token = os.environ.get("ACTIONS_ID_TOKEN_REQUEST_URL"), os.environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if not url or not token:
        raise RefusedError("Unable to get ACTIONS_ID_TOKEN_REQUEST_URL env variable")
    request = urllib.request.Request(  # noqa: S310 - the runner's own address
        f"{url}&audience={urllib.parse.quote(audience, safe='')}", headers={"Authorization": f"bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - as above
        return str(json.load(answer)["value"])
