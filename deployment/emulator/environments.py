"""Environments: immutable versions of an image and its routes."""

from dataclasses import replace

from deployment.emulator.entities import Environment
from deployment.emulator.errors import ConflictError, NotFoundError
from deployment.emulator.store import Store


class Environments:
    """The workspace's environments."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, name: str, version: str) -> Environment:
        """Answer that version, or raise NotFoundError."""
        environment = self._store.environment(name, version)
        if environment is None:
            raise NotFoundError(f"Environment '{name}' version '{version}' not found.")
        return environment

    def versions(self, name: str) -> list[Environment]:
        """Answer all versions, the newest last, or raise NotFoundError."""
        found = self._store.environments(name)
        if not found:
            raise NotFoundError(f"Environment '{name}' not found.")
        return found

    def put(self, wanted: Environment) -> tuple[Environment, bool]:
        """Save a version and answer it with whether it is new.

        Putting what is there already is allowed, also with other tags; ConflictError when the image or the routes
        would change.
        """
        before = self._store.environment(wanted.name, wanted.version)
        if before is None:
            self._store.save_environment(wanted)
            return wanted, True
        if (before.image, before.routes) != (wanted.image, wanted.routes):
            raise ConflictError(
                f"Environment '{wanted.name}' version '{wanted.version}' exists and cannot be changed"
                f" (image {wanted.image} vs {before.image}); register another version"
            )
        after = replace(wanted, created_at=before.created_at)
        self._store.save_environment(after)
        return after, False
