"""What pages say of failed calls: what happened, why, and what to do; by `ErrorInfo.reason`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_status import rpc_status

SENTENCES: Final[dict[str, str]] = json.loads(
    Path(__file__).with_name("reasons.json").read_text(encoding="utf-8")
)
"""By reason. `{at}` is the node that was asked; `{detail}` what it said."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A failure, in words."""

    sentence: str
    reason: str


def problem_of(error: grpc.aio.AioRpcError, at: str) -> Problem:
    """The words for a failed call to the node `at`."""
    detail = (error.details() or "").rstrip(".")
    reason = reason_of(error)
    if reason in SENTENCES:
        return Problem(SENTENCES[reason].format(at=at, detail=detail), reason)
    code = error.code()
    if code is grpc.StatusCode.UNAVAILABLE:
        sentence = (
            f"{at} does not answer: its kernel has stopped or is starting. `./logos up` starts it."
        )
        return Problem(sentence, "KERNEL_UNREACHABLE")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Problem(f"{at} did not answer in time. Try again.", "DEADLINE_EXCEEDED")
    return Problem(f"{at} refused: {detail or 'it did not say why'}.", reason or code.name)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The stable reason of a failed call; empty if it carries none."""
    try:
        status = rpc_status.from_call(error)
        for detail in () if status is None else status.details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info):
                return str(info.reason)
    except (DecodeError, ValueError):
        pass  # details that are not ours
    return ""
