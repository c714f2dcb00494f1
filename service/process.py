"""Ties a process to its parent, so that none is ever left behind."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent(parent_pid: int, signal_number: signal.Signals) -> None:
    """Have the kernel send this process a signal when its parent ends, in whatever way.

    Linux only; elsewhere nothing is done, and a parent ended by SIGKILL leaves this process behind.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal_number.value) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have ended before the kernel was told.
    if os.getppid() != parent_pid:
        os.kill(os.getpid(), signal_number)
