"""Ending a process with everything it started, whatever those made of their groups and sessions."""

import contextlib
import os
import signal
import time
from pathlib import Path

PROC = Path("/proc")
GONE_LIMIT_S = 5.0
GONE_PERIOD_S = 0.005


def end_tree(group_id: int | None, mark: str) -> None:
    """Kill (SIGKILL) a process group, and each process whose environment holds the mark `NAME=value`.

    The environment is inherited by every descendant, so the mark also finds those that were orphaned or made a
    session of their own. Where there is no /proc the group alone is ended. Returns once the marked ones are gone, or
    GONE_LIMIT_S later.
    """
    if group_id is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group_id, signal.SIGKILL)
    deadline_s = time.monotonic() + GONE_LIMIT_S
    # Again and again: one may have started another while the list was made.
    while (left := marked_processes(mark)) and time.monotonic() < deadline_s:
        for process_id in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        time.sleep(GONE_PERIOD_S)


def marked_processes(mark: str) -> list[int]:
    """Answer the ids of the running processes whose environment has an entry that begins with the mark."""
    if not PROC.is_dir():
        return []
    needle = b"\0" + mark.encode()
    own_id = os.getpid()
    return [
        int(folder.name)
        for folder in PROC.iterdir()
        if folder.name.isdigit() and int(folder.name) != own_id and needle in b"\0" + _environment(folder)
    ]


def _environment(folder: Path) -> bytes:
    try:
        return (folder / "environ").read_bytes()
    except OSError:  # it ended meanwhile, or is another user's
        return b""
