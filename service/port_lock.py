"""One scoring server for each port, however many processes want to start it."""

import fcntl
import os
import tempfile
from pathlib import Path


class PortLock:
    """Held by one process and its child for each port; the kernel lets go of it when both have ended."""

    def __init__(self, port: int) -> None:
        self._path = Path(tempfile.gettempdir()) / f"api-server-{os.getuid()}-{port}.lock"
        self._descriptor: int | None = None

    def fileno(self) -> int:
        """Return the descriptor that a child inherits."""
        if self._descriptor is None:
            raise ValueError(f"port lock: {self._path} is not held")
        return self._descriptor

    def acquire(self) -> bool:
        """Say whether the lock is held now; does not wait."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        # Its last holder may have removed the file between the two calls.
        if not self._path.exists() or not os.path.samestat(os.fstat(descriptor), self._path.stat()):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let go of the lock and remove its file; does nothing where it is not held."""
        if self._descriptor is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None
