"""A mix that has an answer to every call: for tests of commands."""

from collections.abc import Iterator
from typing import Any

from logos.network.v1 import mix_pb2, mix_pb2_grpc

MIX = f"16Uiu2HAm{44 * 'a'}"


class MixAnswers(mix_pb2_grpc.MixServicer):
    """Knows one other mix, which answers at once."""

    profile = mix_pb2.MixProfile(name="laptop", limit=10, hops=3)

    def Send(self, request: Any, context: Any) -> Any:  # noqa: N802
        return mix_pb2.SendResponse(packets=1)

    def Ping(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield mix_pb2.MixPingResponse(planned=mix_pb2.MixPingResponse.Planned())
        yield mix_pb2.MixPingResponse(answered=mix_pb2.MixPingResponse.Answered())

    def Listen(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield mix_pb2.MixListenResponse()
        yield mix_pb2.MixListenResponse(content=b"hello")

    def ListMixes(self, request: Any, context: Any) -> Any:  # noqa: N802
        return mix_pb2.ListMixesResponse(mixes=[mix_pb2.KnownMix(peer_id=MIX)])

    def GetStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        return mix_pb2.MixGetStatusResponse(profile=self.profile, profiles=[self.profile])

    def SetProfile(self, request: Any, context: Any) -> Any:  # noqa: N802
        return mix_pb2.SetProfileResponse(profile=self.profile)
