"""The workspace's storage: blobs in containers, opened by signatures that end."""

import hashlib
import hmac
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from deployment.emulator.clock import Clock
from deployment.emulator.store import Collection

SIGNATURE_LIFETIME_S = 8 * 3600


class StorageError(Exception):
    """A refusal in the storage service's terms: a status, a code and a message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A blob; file is the name of the file in which its content is kept."""

    container: str
    path: str
    file: str
    size: int
    etag: str
    content_type: str
    metadata: Mapping[str, str]
    modified_at: datetime


class Blobs:
    """Keeps blobs as files whose names say nothing, so that no blob's path can lead anywhere."""

    def __init__(self, folder: Path, blobs: Collection[Blob], clock: Clock) -> None:
        self._folder = folder
        self._blobs = blobs
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def signature(self, container: str) -> str:
        """Answer the query string that opens a container for eight hours."""
        ends_at = int(self._clock.now().timestamp()) + SIGNATURE_LIFETIME_S
        return f"sv=2023-11-03&sr=c&sp=rcwl&se={ends_at}&sig={self._sign(container, str(ends_at))}"

    def check(self, container: str, query: Mapping[str, str]) -> None:
        """Raise StorageError unless the query opens the container."""
        ends_at = query.get("se", "")
        expected = self._sign(container, ends_at)
        is_signed = hmac.compare_digest(query.get("sig", "").encode(), expected.encode())
        if not is_signed or int(ends_at) <= self._clock.now().timestamp():
            raise StorageError(403, "AuthenticationFailed", "The signature is missing, wrong or has ended.")

    def get(self, container: str, path: str) -> Blob:
        """Answer the blob, or raise StorageError."""
        blob = self._blobs.get(container, path)
        if blob is None:
            raise StorageError(404, "BlobNotFound", "The specified blob does not exist.")
        return blob

    def all(self, container: str, prefix: str = "") -> list[Blob]:
        """Answer the blobs whose path begins so, by path."""
        return [each for each in self._blobs.all(container) if each.path.startswith(prefix)]

    def file(self, blob: Blob) -> Path:
        """Answer where the blob's content is."""
        return self._folder / blob.file

    async def stage(self, container: str, path: str, block_id: str, content: AsyncIterator[bytes]) -> None:
        """Keep a block of a blob that a commit will name."""
        with self._open(self._block(container, path, block_id)) as file:
            async for chunk in content:
                file.write(chunk)

    async def put(
        self, container: str, path: str, content: AsyncIterator[bytes], content_type: str, metadata: Mapping[str, str]
    ) -> Blob:
        """Save a blob, or replace one."""
        name = secrets.token_hex(16)
        with self._open(name) as file:
            async for chunk in content:
                file.write(chunk)
        return self._save(container, path, name, content_type, metadata)

    def commit(
        self, container: str, path: str, block_ids: Sequence[str], content_type: str, metadata: Mapping[str, str]
    ) -> Blob:
        """Save a blob made of staged blocks; StorageError when one of them is missing."""
        blocks = [self._folder / self._block(container, path, block_id) for block_id in block_ids]
        if not all(block.is_file() for block in blocks):
            raise StorageError(400, "InvalidBlockList", "The specified block list is invalid.")
        name = secrets.token_hex(16)
        with self._open(name) as file:
            for block in blocks:
                file.write(block.read_bytes())
        for block in set(blocks):
            block.unlink()
        return self._save(container, path, name, content_type, metadata)

    def set_metadata(self, container: str, path: str, metadata: Mapping[str, str]) -> Blob:
        """Replace a blob's metadata, or raise StorageError."""
        blob = replace(self.get(container, path), metadata=metadata, etag=_etag(), modified_at=self._clock.now())
        self._blobs.save(blob)
        return blob

    def _save(self, container: str, path: str, name: str, content_type: str, metadata: Mapping[str, str]) -> Blob:
        before = self._blobs.get(container, path)
        blob = Blob(
            container=container,
            path=path,
            file=name,
            size=(self._folder / name).stat().st_size,
            etag=_etag(),
            content_type=content_type,
            metadata=metadata,
            modified_at=self._clock.now(),
        )
        self._blobs.save(blob)
        if before is not None:
            self.file(before).unlink(missing_ok=True)
        return blob

    def _open(self, name: str) -> BinaryIO:
        self._folder.mkdir(exist_ok=True)
        return (self._folder / name).open("wb")

    def _block(self, container: str, path: str, block_id: str) -> str:
        return f"block-{hashlib.sha256(f'{container}/{path}/{block_id}'.encode()).hexdigest()}"

    def _sign(self, container: str, ends_at: str) -> str:
        return hmac.new(self._key, f"{container}\n{ends_at}".encode(), hashlib.sha256).hexdigest()


def _etag() -> str:
    return f'"0x{secrets.token_hex(8).upper()}"'
