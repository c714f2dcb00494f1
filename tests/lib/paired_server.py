"""An endpoint for load tests, in a process of its own: what a deployment does is its name.

    prompt      answers at once
    late        answers LATE_S later
    failing     answers 424
    impostor    is answered by prompt
    hanging     never answers
    unnamed     does not say who answered

`python -m tests.lib.paired_server`, its key in PAIRED_SERVER_KEY, prints its port; it ends with its standard input.
"""

import asyncio
import os
import sys
from collections import Counter

from aiohttp import web

LATE_S = 0.15
KEY_VARIABLE = "PAIRED_SERVER_KEY"
DEPLOYMENT = "azureml-model-deployment"


async def score(request: web.Request) -> web.Response:
    """Answer as the deployment would that the header names."""
    asked = request.headers.get(DEPLOYMENT, "")
    if request.headers.get("Authorization") != f"Bearer {request.app[KEY]}":
        return web.json_response({"error": "key"}, status=401)
    body = await request.json()
    request.app[SEEN][asked] += 1
    if asked == "late":
        await asyncio.sleep(LATE_S)
    if asked == "hanging":
        await asyncio.Event().wait()
    answered_by = {"impostor": "prompt", "unnamed": None}.get(asked, asked)
    headers = {"x-request-id": f"seen-{request.app[SEEN][asked]}"} | ({DEPLOYMENT: answered_by} if answered_by else {})
    return web.json_response([0.0] * len(body["data"]), headers=headers, status=424 if asked == "failing" else 200)


KEY = web.AppKey("key", str)
SEEN = web.AppKey("seen", Counter)


async def main(key: str) -> None:
    """Serve until standard input ends."""
    app = web.Application()
    app[KEY], app[SEEN] = key, Counter()
    app.router.add_post("/score", score)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201 - the parent reads it
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(os.environ[KEY_VARIABLE]))
