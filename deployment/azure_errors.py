"""What the Azure SDK prints, raises and waits for, in this project's words."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from azure.ai.ml.exceptions import MlException
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError, ServiceResponseError

from deployment.credentials import login_refusal
from deployment.outcomes import PlatformError, ProvisioningError, TransientError

POLL_TIMEOUT_S = 5.0
SUCCESS_STATUSES = frozenset({200, 201, 202, 204})
TRANSIENT_STATUSES = frozenset({408, 409, 429})
INTERNAL_SERVER_ERROR = 500


def wait_for(poller: Any, timeout_s: float, overdue: Callable[[str], PlatformError]) -> None:
    """Wait until the operation has ended; raises what it failed with, and `overdue` where it takes too long.

    `poller.result(timeout)` returns an unfinished resource, or fails inside the SDK, when its time is up.
    """
    deadline_s = monotonic() + timeout_s
    while not poller.done():
        if monotonic() >= deadline_s:
            raise overdue(
                f"operation: not finished after {timeout_s:g} s; it goes on at the platform, so look at it there "
                "and run the same command again"
            )
        poller.wait(min(POLL_TIMEOUT_S, max(0.0, deadline_s - monotonic())))
    poller.result()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the SDK's dots and notices, which it prints at every poll, off the terminal."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


@contextlib.contextmanager
def errors_as(kind: Callable[[str], PlatformError], subject: str) -> Iterator[None]:
    """Turn what the SDK raises into one of this project's errors, with the platform's own code and message."""
    try:
        yield
    except HttpResponseError as error:
        if refusal := login_refusal(error.message, error.status_code, os.environ):
            raise refusal from error
        code = error.error.code if error.error is not None else (error.status_code or "no answer")
        message = error.error.message if error.error is not None else error.message
        told = TransientError if may_work_later(error.status_code, str(code), kind) else kind
        raise told(f"{subject}: {message} ({code})") from error
    except (ServiceRequestError, ServiceResponseError) as error:
        raise TransientError(f"{subject}: no answer from the platform: {error}") from error
    except (AzureError, MlException) as error:
        raise kind(f"{subject}: {error}") from error


def may_work_later(status: int | None, code: str, kind: Callable[[str], PlatformError]) -> bool:
    """Tell whether asking again may help; status 200 is that of an operation which did not end well.

    An operation that was canceled is to be started again (Microsoft Learn, "Troubleshoot online endpoints"). One that
    failed may have met a fault of the platform, unless it says that a deployment cannot be provisioned.
    """
    if status in SUCCESS_STATUSES:
        return code == "OperationCanceled" or kind is not ProvisioningError
    return status is None or status in TRANSIENT_STATUSES or status >= INTERNAL_SERVER_ERROR
