"""Clients that keep asking over connections they keep, while the server goes away."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import count

from tests.lib.model_artefacts import rows


@dataclass
class Hammering:
    """What the clients saw: each answer's status, and what failed of requests that the server had accepted."""

    statuses: list[int] = field(default_factory=list)
    told_to_close: int = 0
    refused_connections: int = 0
    failures: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)


@contextmanager
def hammering(port: int, clients: int, rows_a_request: int = 1) -> Iterator[Hammering]:
    """Ask over `clients` connections at once, each kept for as long as the server keeps it.

    A connection that is refused, or dropped before its first answer, was never accepted; that ends a client. One that
    is dropped later, without having been told so with the answer before, is a failure.
    """
    seen = Hammering()
    body = json.dumps(rows(rows_a_request)).encode()
    threads = [threading.Thread(target=hammer, args=(port, body, seen)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        seen.stop.set()
        for thread in threads:
            thread.join()


def hammer(port: int, body: bytes, seen: Hammering) -> None:
    while not seen.stop.is_set():
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            if not use(connection, body, seen):
                return
        finally:
            connection.close()


def use(connection: HTTPConnection, body: bytes, seen: Hammering) -> bool:
    """Ask until the server says that it closes the connection; say whether another one is worth a try."""
    for answers in count():
        try:
            if answers == 0:
                connection.connect()
                connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.request("POST", "/score", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
        except (OSError, HTTPException) as error:
            if answers == 0:
                seen.refused_connections += 1
            else:
                seen.failures.append(f"{type(error).__name__} after {answers} answers on this connection")
            return False
        seen.statuses.append(response.status)
        if response.will_close:
            seen.told_to_close += 1
            return True
        if seen.stop.is_set():
            return False
    return False
