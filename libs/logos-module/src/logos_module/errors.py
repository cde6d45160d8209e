"""Errors to gRPC statuses and back. The only module that knows status codes."""

from typing import Any, Final, Protocol

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from logos_base.errors import ErrorKind, LogosError

DOMAIN: Final = "logos"
MAX_TEXT_BYTES: Final = 1000
"""Of a status' text. It is sent up to three times, escaped, and clients take 8 KiB of trailers."""


class InternalError(LogosError):
    """Something unexpected. What it was stands in the log, not in the answer."""

    kind = ErrorKind.INTERNAL
    reason = "INTERNAL"


class ModuleDrainingError(LogosError):
    """The module is about to stop."""

    kind = ErrorKind.UNAVAILABLE
    reason = "MODULE_DRAINING"
    retry_after_ms = 1000


class ModuleNotReadyError(LogosError):
    """A module is known, but not READY now."""

    kind = ErrorKind.UNAVAILABLE
    reason = "MODULE_NOT_READY"
    retry_after_ms = 500


class DeadlineError(LogosError):
    """The call took longer than the server allows."""

    kind = ErrorKind.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class MalformedRequestError(LogosError):
    """A request is no message of its method's type."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "MALFORMED_REQUEST"


class MethodUnimplementedError(LogosError):
    """The contract has the method, this server does not."""

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
    """Ends a call with a rich status for what was raised while it was served; does not return.

    Unexpected errors become INTERNAL with no detail: what leaked into the
    message could identify a user. They are logged in full instead.
    """
    cause = cause_of(error)
    if isinstance(cause, grpc.aio.AbortError):
        raise cause from None
    if not isinstance(cause, LogosError):
        log.error("unexpected error in rpc", exc_info=error)
        cause = InternalError("internal error; the module's log has the details")
    await abort(context, cause)


def cause_of(error: Exception) -> Exception:
    """Returns what ended a task group: the first rule that was broken, else the first error.

    An error that is no group is returned as it is.
    """
    if not isinstance(error, ExceptionGroup):
        return error
    causes = [cause_of(each) for each in error.exceptions]
    return next((cause for cause in causes if isinstance(cause, LogosError)), causes[0])


def error_info_of(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo | None:
    """Returns the ErrorInfo of a failed call, or None if it carries none."""
    try:
        status = rpc_status.from_call(error)
    except ValueError:
        return None  # the details contradict the status: not from us
    if status is None:
        return None
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        if detail.Unpack(info):
            return info
    return None


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Returns the stable reason of a failed call; empty if it carries none."""
    info = error_info_of(error)
    return "" if info is None else info.reason
