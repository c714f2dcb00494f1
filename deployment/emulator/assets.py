"""Versioned assets of the workspace: environments, models and code; a version never changes."""

from dataclasses import replace
from typing import Generic, TypeVar

from deployment.emulator.entities import Environment, Files
from deployment.emulator.errors import ConflictError, NotFoundError
from deployment.emulator.store import Collection

AssetT = TypeVar("AssetT", bound=Environment | Files)


class Assets(Generic[AssetT]):
    """The assets of one kind, e.g. `Environment`."""

    def __init__(self, kind: str, collection: Collection[AssetT]) -> None:
        self._kind = kind
        self._collection = collection

    def get(self, name: str, version: str) -> AssetT:
        """Answer that version, or raise NotFoundError."""
        asset = self._collection.get(name, version)
        if asset is None:
            raise NotFoundError(f"{self._kind} '{name}' version '{version}' not found.")
        return asset

    def versions(self, name: str) -> list[AssetT]:
        """Answer all versions, the newest last; there may be none."""
        return sorted(self._collection.all(name), key=lambda each: each.created_at)

    def known_versions(self, name: str) -> list[AssetT]:
        """Answer all versions, the newest last, or raise NotFoundError."""
        found = self.versions(name)
        if not found:
            raise NotFoundError(f"{self._kind} '{name}' not found.")
        return found

    def all(self) -> list[list[AssetT]]:
        """Answer the versions of each asset that is not anonymous, by name."""
        names = {each.name for each in self._collection.all() if not each.is_anonymous}
        return [self.versions(name) for name in sorted(names)]

    def put(self, wanted: AssetT) -> tuple[AssetT, bool]:
        """Save a version and answer it with whether it is new.

        Putting what is there already is allowed, also with other tags, or archived; ConflictError when what it is
        made of would change.
        """
        before = self._collection.get(wanted.name, wanted.version)
        if before is None:
            self._collection.save(wanted)
            return wanted, True
        if before.content != wanted.content:
            raise ConflictError(
                f"{self._kind} '{wanted.name}' version '{wanted.version}' exists and cannot be changed"
                f" ({wanted.content} vs {before.content}); register another version"
            )
        after = replace(wanted, created_at=before.created_at)
        self._collection.save(after)
        return after, False

    def archive(self, name: str, *, is_archived: bool) -> list[AssetT]:
        """Archive or restore all versions, or raise NotFoundError."""
        for each in self.known_versions(name):
            self._collection.save(replace(each, is_archived=is_archived))
        return self.versions(name)
