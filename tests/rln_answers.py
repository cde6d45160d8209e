"""Rate limits that have an answer to every call of commands: for tests of those."""

from typing import Any

from logos.network.v1 import rln_pb2, rln_pb2_grpc


class RlnAnswers(rln_pb2_grpc.RlnServicer):
    """Those of a member."""

    def GetStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        return rln_pb2.RlnGetStatusResponse(epoch=7, members=5)

    def Register(self, request: Any, context: Any) -> Any:  # noqa: N802
        return rln_pb2.RegisterResponse()
