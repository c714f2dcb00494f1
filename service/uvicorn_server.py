"""The child process of ApiServer: uvicorn with the engine's app, and an end that fails no request."""

import argparse
import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn

from service.engine.http_protocol import CLOSE, HttpProtocol
from service.process import end_with_parent

# Longer than the proxy before the container keeps a connection for reuse, so that the proxy is the one who closes it.
KEEP_ALIVE_TIMEOUT_S = 75
# How long a kept connection may stay quiet at the end: the time that a client's next request may already be on its way.
LINGER_S = 1.0
LINGER_STEP_S = 0.02


def main() -> None:
    """Serve until SIGTERM, and exit with 0 after the last answer; with 3 where uvicorn cannot start."""
    # Before uvicorn handles it there is nothing to drain, and uvicorn raises it once more after it has drained.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    arguments = parse_arguments()
    end_with_parent(arguments.parent_pid, signal.SIGKILL)
    server = DrainingServer(
        uvicorn.Config(
            "service.engine.api_engine:app",
            factory=True,
            host=arguments.host,
            port=arguments.port,
            loop="uvloop",
            http=HttpProtocol,
            proxy_headers=False,
            ws="none",
            lifespan="on",
            access_log=False,
            server_header=False,
            log_config=str(Path(__file__).with_name("logging.json")),
            timeout_keep_alive=KEEP_ALIVE_TIMEOUT_S,
            timeout_graceful_shutdown=arguments.drain_timeout_s,
        )
    )
    server.run()
    sys.exit(0 if server.started else uvicorn.config.STARTUP_FAILURE)


class DrainingServer(uvicorn.Server):
    """uvicorn, but at its end a kept connection is closed with an answer, not under a request that is on its way.

    While it drains, `scope["state"]["draining"]` is True.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse new connections, answer what arrives on the others with `Connection: close`, then end as uvicorn does.

        A connection on which nothing arrives is closed after LINGER_S.
        """
        for server in self.servers:
            server.close()
        state: dict[str, Any] = self.lifespan.state
        state["draining"] = True
        self.server_state.default_headers.append(CLOSE)
        # Answers under way have their headers from a list of before; uvicorn makes a new one each second.
        for connection in self.server_state.connections:
            if isinstance(connection, HttpProtocol):
                connection.announce_end()
        for _ in range(round(LINGER_S / LINGER_STEP_S)):
            if not self.server_state.connections:
                break
            await asyncio.sleep(LINGER_STEP_S)
        await super().shutdown(sockets)


def parse_arguments() -> argparse.Namespace:
    """Return what ApiServer says."""
    parser = argparse.ArgumentParser(prog="python -m service.uvicorn_server")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--parent-pid", type=int, required=True)
    parser.add_argument("--drain-timeout-s", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
