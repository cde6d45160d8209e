"""Reasons are read from the responses of any server, not only of Logos."""

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import status_pb2

from logos_module.errors import error_info_of, reason_of

_DETAILS = any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff")


@pytest.mark.parametrize(
    "trailer",
    [
        b"\xff",
        status_pb2.Status(code=5, message="other").SerializeToString(),
        status_pb2.Status(code=14, message="gone", details=[_DETAILS]).SerializeToString(),
    ],
)
def test_details_that_are_not_valid_carry_no_reason(trailer: bytes) -> None:
    error = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE,
        grpc.aio.Metadata(),
        grpc.aio.Metadata(("grpc-status-details-bin", trailer)),
        details="gone",
    )

    assert error_info_of(error) is None
    assert reason_of(error) == ""
