"""An endpoint for load tests, in a process of its own: what a deployment does is its name.

    prompt      answers at once, with model 1
    newer       answers at once and the same, with model 2
    late        answers LATE_S later
    narrow      answers one request at a time, each in NARROW_S
    unsteady    never answers the same twice
    failing     answers 424
    turning     answers TURNS_AFTER requests, and 424 from then on
    hanging     never answers
    breaking    breaks off its answers in the middle
    garbled     answers what is not compressed as it says
    moving      redirects to prompt's answer
    sticky      sets a cookie, and answers 400 to whoever sends it back
    impostor    is answered by prompt
    unnamed     does not say who answered, nor which model
    throttled   says in headers that it held a request and its answer back, for 12 and 30 ms
    trailing    says the same in trailers, behind a chunked body

`running_paired_server` starts it; it ends with its standard input.
"""

import asyncio
import json
import os
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

LATE_S = 0.15
NARROW_S = 0.02
TURNS_AFTER = 20
THROTTLED_MS = 42.0
DEPLOYMENT = "azureml-model-deployment"
KEY_VARIABLE = "PAIRED_SERVER_KEY"
CERTIFICATE_VARIABLE, CERTIFICATE_KEY_VARIABLE = "PAIRED_SERVER_CERTIFICATE", "PAIRED_SERVER_CERTIFICATE_KEY"
DELAYS = b"ms-azureml-bandwidth-request-delay-ms: 12\r\nms-azureml-bandwidth-response-delay-ms: 30\r\n"
MORE_HEADERS = {
    "garbled": b"Content-Encoding: br\r\n",
    "moving": b"Location: /score\r\n",
    "sticky": b"Set-Cookie: to=live\r\n",
    "throttled": DELAYS,
}


@contextmanager
def running_paired_server(key: str, certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """Yield its scoring URI; with a certificate, and that one's key, it speaks TLS."""
    variables = {KEY_VARIABLE: key}
    if certificate is not None:
        variables |= {CERTIFICATE_VARIABLE: str(certificate[0]), CERTIFICATE_KEY_VARIABLE: str(certificate[1])}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.lib.paired_server"],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{port}/score"
        server.stdin.close()


@dataclass
class Endpoint:
    """What all connections share."""

    key: str
    seen: Counter[str] = field(default_factory=Counter)
    gate: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests until it, or the deployment that it asks, breaks off."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                headers = {
                    name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n"))
                }
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                answer = await self.answer(headers, len(body["data"]))
                breaks = headers.get(DEPLOYMENT) == "breaking"
                writer.write(answer[:-1] if breaks else answer)
                await writer.drain()
                if breaks:
                    writer.close()

    async def answer(self, headers: Mapping[str, str], rows: int) -> bytes:
        """Return the answer of the deployment that was asked."""
        if headers.get("authorization") != f"Bearer {self.key}":
            return whole("401 Unauthorized", b"", b'{"error": "key"}')
        asked = headers.get(DEPLOYMENT, "")
        self.seen[asked] += 1
        count = self.seen[asked]
        await self.wait(asked)
        named = f"x-request-id: seen-{count}\r\n" if asked == "unnamed" else named_by(asked, count)
        body = json.dumps([float(count if asked == "unsteady" else 0)] * rows).encode()
        if asked == "failing" or (asked == "turning" and count > TURNS_AFTER) or "cookie" in headers:
            return whole("424 Failed Dependency", named.encode(), b'{"error": "model"}')
        if asked == "trailing":
            return chunked(named.encode(), body)
        status = "302 Found" if asked == "moving" else "200 OK"
        return whole(status, named.encode() + MORE_HEADERS.get(asked, b""), body)

    async def wait(self, asked: str) -> None:
        match asked:
            case "late":
                await asyncio.sleep(LATE_S)
            case "hanging":
                await asyncio.Event().wait()
            case "narrow":
                async with self.gate:
                    await asyncio.sleep(NARROW_S)


def named_by(asked: str, count: int) -> str:
    answered_by = "prompt" if asked == "impostor" else asked
    model = 2 if asked == "newer" else 1
    return f"{DEPLOYMENT}: {answered_by}\r\nx-model-version: {model}\r\nx-request-id: seen-{count}\r\n"


def whole(status: str, headers: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n%b\r\n%b" % (status.encode(), len(body), headers, body)


def chunked(headers: bytes, body: bytes) -> bytes:
    """Return an answer whose delays stand behind its body."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%b\r\n" % headers
    return head + b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, DELAYS)


def tls() -> ssl.SSLContext | None:
    if CERTIFICATE_VARIABLE not in os.environ:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ[CERTIFICATE_VARIABLE], os.environ[CERTIFICATE_KEY_VARIABLE])
    return context


async def main() -> None:
    """Serve until standard input ends."""
    endpoint = Endpoint(os.environ[KEY_VARIABLE])
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0, ssl=tls())
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the parent reads it
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)  # whoever still waits for an answer gets none


if __name__ == "__main__":
    asyncio.run(main())
