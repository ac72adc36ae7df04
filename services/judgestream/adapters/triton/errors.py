"""Translation of Triton's errors into ours, around every call."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from tritonclient.utils import InferenceServerException

from judgestream.contracts.triton_interface import incoming
from judgestream.core.errors import (
    ConfigurationError,
    JudgeDeadlineExceeded,
    JudgestreamError,
    JudgeUnavailable,
)

MAX_SHOWN = 500
"""Characters of a message of Triton or of a provider that an error repeats."""

RESTRICTED = "is restricted, expecting header"
"""In Triton's answer to a control call without the key, whatever its status."""

CONTROL_ERRORS: dict[str, type[JudgestreamError]] = {
    "DEADLINE_EXCEEDED": JudgeDeadlineExceeded,
    "UNAVAILABLE": JudgeUnavailable,
    "CANCELLED": JudgeUnavailable,
    "": JudgeUnavailable,  # a broken connection has no status
}
"""Status -> class, for calls that load, unload or list models. Every other status is an answer about the
model or the key: ConfigurationError."""


@contextmanager
def judge_call(release: str) -> Iterator[None]:
    """Translate the errors of a call to a judge by `contracts.triton_interface.TRITON_ERRORS`."""
    try:
        yield
    except (InferenceServerException, grpc.RpcError) as exc:
        raise judge_error(exc, release) from exc


@contextmanager
def control_call(action: str, address: str) -> Iterator[None]:
    """Translate the errors of a control call by `CONTROL_ERRORS`.

    Args:
        action: what the call does, for the message: "load release judgelm-0a1b2c3d".
        address: host:port of Triton's gRPC.
    """
    try:
        yield
    except (InferenceServerException, grpc.RpcError) as exc:
        raise control_error(exc, action, address) from exc


def judge_error(exc: Exception, release: str) -> JudgestreamError:
    """Our error for what a call to a judge raised."""
    error, text = incoming(*_status_and_text(exc))
    shown = text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + " [cut]"
    return error(f"release {release}: {shown}")


def control_error(exc: Exception, action: str, address: str) -> JudgestreamError:
    """Our error for what a control call raised."""
    status, text = _status_and_text(exc)
    if RESTRICTED in text:
        return ConfigurationError(
            f"Triton at {address} refuses to {action} without its control key: set"
            " JUDGESTREAM_TRITON__CONTROL_KEY to the key that it was started with"
        )
    error = CONTROL_ERRORS.get(status, ConfigurationError)
    hint = "; see Triton's log" if error is ConfigurationError else ""
    return error(f"Triton at {address} cannot {action}: {text}{hint}")


def _status_and_text(exc: Exception) -> tuple[str, str]:
    """gRPC status without its prefix, and the message; ("", text) for a broken connection."""
    if isinstance(exc, InferenceServerException):
        return (exc.status() or "").removeprefix("StatusCode."), exc.message() or str(exc)
    code, details = getattr(exc, "code", lambda: None)(), getattr(exc, "details", str)()
    return str(code or "").removeprefix("StatusCode."), str(details)
