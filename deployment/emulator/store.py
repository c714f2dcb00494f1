"""Everything the emulator remembers of the control plane, behind one object: in memory, and in one SQLite file."""

import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from deployment.emulator.entities import Deployment, Endpoint, Environment, Operation

FILE_NAME = "emulator.sqlite"
LAYOUT = 1
START_ANEW = "choose another state folder, or remove this one"
SCHEMA = "CREATE TABLE document (kind TEXT, key TEXT, content TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID"

ValueT = TypeVar("ValueT")


class UnreadableStateError(Exception):
    """The state file was written by something else, or by another version of the emulator."""


class Collection(Generic[ValueT]):
    """The values of one kind, each under its key; what is saved is on the disk when save returns.

    Values are immutable: reading never sees a change made later, saving replaces the whole value.
    """

    def __init__(
        self,
        database: sqlite3.Connection | None,
        name: str,
        kind: type[ValueT],
        key: Callable[[ValueT], tuple[str, ...]],
    ) -> None:
        self._database = database
        self._name = name
        self._adapter: TypeAdapter[ValueT] = TypeAdapter(kind)
        self._key = key
        self._values = self._read()

    def get(self, *key: str) -> ValueT | None:
        """Answer the value under that key."""
        return self._values.get(key)

    def all(self, *prefix: str) -> list[ValueT]:
        """Answer the values whose key begins so, in the order of their keys."""
        return [value for key, value in sorted(self._values.items()) if key[: len(prefix)] == prefix]

    def save(self, value: ValueT) -> None:
        """Insert or replace a value."""
        key = self._key(value)
        row = (self._name, json.dumps(key), self._adapter.dump_json(value).decode())
        self._write("INSERT OR REPLACE INTO document VALUES (?, ?, ?)", row)
        self._values[key] = value

    def remove(self, *key: str) -> None:
        """Forget a value; one that is absent stays absent."""
        self._write("DELETE FROM document WHERE kind = ? AND key = ?", (self._name, json.dumps(key)))
        self._values.pop(key, None)

    def _write(self, statement: str, row: tuple[str, ...]) -> None:
        if self._database is not None:
            with self._database:
                self._database.execute(statement, row)

    def _read(self) -> dict[tuple[str, ...], ValueT]:
        if self._database is None:
            return {}
        rows = self._database.execute("SELECT key, content FROM document WHERE kind = ?", (self._name,))
        try:
            return {tuple(json.loads(key)): self._adapter.validate_json(content) for key, content in rows}
        except ValidationError as error:
            raise UnreadableStateError(f"state file: its {self._name} are of another version; {START_ANEW}") from error


class Store:
    """Holds endpoints, deployments, environments, operations and whatever else is given a collection.

    With a folder everything is kept in its `emulator.sqlite` (mode 0600: the endpoints' keys are in it) and is there
    again at the next start; without one it ends with the process. Raises UnreadableStateError.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._database = None if folder is None else _open(folder / FILE_NAME)
        self._endpoints = self.collection("endpoints", Endpoint, lambda each: (each.name,))
        self._deployments = self.collection("deployments", Deployment, lambda each: (each.endpoint_name, each.name))
        self.environments = self.collection("environments", Environment, lambda each: (each.name, each.version))
        self._operations = self.collection("operations", Operation, lambda each: (each.id,))
        # The last version of each deployment that ran, which a failed update leaves running.
        self.running = self.collection("running", Deployment, lambda each: (each.endpoint_name, each.name))

    def collection(self, name: str, kind: type[ValueT], key: Callable[[ValueT], tuple[str, ...]]) -> Collection[ValueT]:
        """Answer the values of one kind, a frozen dataclass of plain values; ask once for each name."""
        return Collection(self._database, name, kind, key)

    def close(self) -> None:
        """Close the file."""
        if self._database is not None:
            self._database.close()

    def endpoint(self, name: str) -> Endpoint | None:
        """Answer the endpoint of that name."""
        return self._endpoints.get(name)

    def endpoints(self) -> list[Endpoint]:
        """Answer all endpoints by name."""
        return self._endpoints.all()

    def save_endpoint(self, endpoint: Endpoint) -> None:
        """Insert or replace an endpoint."""
        self._endpoints.save(endpoint)

    def remove_endpoint(self, name: str) -> None:
        """Forget an endpoint; one that is absent stays absent."""
        self._endpoints.remove(name)

    def deployment(self, endpoint_name: str, name: str) -> Deployment | None:
        """Answer the deployment of that name."""
        return self._deployments.get(endpoint_name, name)

    def deployments(self, endpoint_name: str) -> list[Deployment]:
        """Answer an endpoint's deployments by name."""
        return self._deployments.all(endpoint_name)

    def save_deployment(self, deployment: Deployment) -> None:
        """Insert or replace a deployment."""
        self._deployments.save(deployment)

    def remove_deployment(self, endpoint_name: str, name: str) -> None:
        """Forget a deployment; one that is absent stays absent."""
        self._deployments.remove(endpoint_name, name)

    def operation(self, operation_id: str) -> Operation | None:
        """Answer the operation of that id."""
        return self._operations.get(operation_id)

    def operations(self) -> list[Operation]:
        """Answer all operations, those of earlier runs too."""
        return self._operations.all()

    def save_operation(self, operation: Operation) -> None:
        """Insert or replace an operation."""
        self._operations.save(operation)


def _open(path: Path) -> sqlite3.Connection:
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    database = sqlite3.connect(path)
    try:
        # A write must not wait for the disk: it is made in the event loop, and only the process may be killed.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        layout = _layout(database)
    except sqlite3.DatabaseError as error:
        database.close()
        raise UnreadableStateError(f"state file {path}: not readable ({error}); {START_ANEW}") from error
    if layout != LAYOUT:
        database.close()
        raise UnreadableStateError(f"state file {path}: its layout is unknown ({layout} vs {LAYOUT}); {START_ANEW}")
    return database


def _layout(database: sqlite3.Connection) -> int:
    (layout,) = database.execute("PRAGMA user_version").fetchone()
    if layout == 0:
        with database:
            database.execute(SCHEMA)
            database.execute(f"PRAGMA user_version = {LAYOUT}")
        return LAYOUT
    return int(layout)
