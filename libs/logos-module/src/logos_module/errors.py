"""Converts errors to gRPC statuses and back. The only module that knows status codes."""

from typing import Any, Final, Protocol

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from logos_base.errors import ErrorKind, LogosError

DOMAIN: Final = "logos"
MAX_TEXT_BYTES: Final = 1000
"""Of a status' text. It is sent up to three times, escaped, and clients take 8 KiB of trailers."""


class InternalError(LogosError):
    """An unexpected error. The log has the details, not the response."""

    kind = ErrorKind.INTERNAL
    reason = "INTERNAL"


class ModuleDrainingError(LogosError):
    """The module is about to stop."""

    kind = ErrorKind.UNAVAILABLE
    reason = "MODULE_DRAINING"
    retry_after_ms = 1000


class ModuleNotReadyError(LogosError):
    """The module exists but is not READY."""

    kind = ErrorKind.UNAVAILABLE
    reason = "MODULE_NOT_READY"
    retry_after_ms = 500


class DeadlineError(LogosError):
    """The call took longer than the server allows."""

    kind = ErrorKind.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class MalformedRequestError(LogosError):
    """A request is not a valid message of its method's type."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "MALFORMED_REQUEST"


class MethodUnimplementedError(LogosError):
    """The contract has the method, but this server does not implement it."""

    kind = ErrorKind.UNIMPLEMENTED
    reason = "METHOD_UNIMPLEMENTED"


class Aborts(Protocol):
    """The part of a servicer context that ends a call."""

    async def abort_with_status(self, status: Any) -> Any: ...


def to_status(error: LogosError) -> status_pb2.Status:
    """Packs an error: ErrorInfo always; RetryInfo and BadRequest where they apply."""
    text = str(error).encode(errors="replace")[:MAX_TEXT_BYTES].decode(errors="ignore")
    details: list[Any] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN)]
    if error.retry_after_ms is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(error.retry_after_ms)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if error.field is not None:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, description=text, reason=error.reason
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    status = status_pb2.Status(code=code_pb2.Code.Value(error.kind.value), message=text)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


async def abort(context: Aborts, error: LogosError) -> None:
    """Ends a call with an error; does not return."""
    await context.abort_with_status(rpc_status.to_status(to_status(error)))


async def abort_for(context: Aborts, error: Exception, log: Any) -> None:
    """Ends a call with a rich status for an exception of its handler; does not return.

    Unexpected errors become INTERNAL with no detail: their messages could identify a user.
    They are logged in full instead.
    """
    cause = cause_of(error)
    if isinstance(cause, grpc.aio.AbortError):
        raise cause from None
    if not isinstance(cause, LogosError):
        log.error("unexpected error in rpc", exc_info=error)
        cause = InternalError("internal error; the module's log has the details")
    await abort(context, cause)


def cause_of(error: Exception) -> Exception:
    """Returns the cause of an exception group: its first `LogosError`, else its first error.

    Other errors are returned unchanged.
    """
    if not isinstance(error, ExceptionGroup):
        return error
    causes = [cause_of(each) for each in error.exceptions]
    return next((cause for cause in causes if isinstance(cause, LogosError)), causes[0])


def error_info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo | None:
    """Returns the ErrorInfo of a failed call, or None if it carries none."""
    info = error_details_pb2.ErrorInfo()
    try:
        status = rpc_status.from_call(error)
        details = status.details if status is not None else ()
        return info if any(detail.Unpack(info) for detail in details) else None
    except (ValueError, DecodeError):
        return None  # details that contradict the status or do not decode: not a Logos server


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Returns the stable reason of a failed call; empty if it carries none."""
    info = error_info_of(error)
    return "" if info is None else info.reason
