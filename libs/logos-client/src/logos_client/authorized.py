"""A channel whose calls carry metadata that says who calls."""

from collections.abc import Callable
from typing import Any, Protocol, Self

import grpc

Metadata = tuple[tuple[str, str | bytes], ...]


class Credential(Protocol):
    """What says who calls."""

    def metadata(self, method: str) -> Metadata:
        """Returns what a call of `package.Service/Method` carries; asked once for each call."""
        ...


class Bearer:
    """The credential of an operator: `authorization: Bearer logos_…`."""

    def __init__(self, bearer: str) -> None:
        self._metadata = (("authorization", f"Bearer {bearer}"),)

    def metadata(self, method: str) -> Metadata:  # noqa: ARG002 - the same for each
        return self._metadata


class AuthorizedChannel(grpc.aio.Channel):
    """A channel that adds a credential to each call; all else is the inner channel's.

    No interceptor: those of grpc.aio cost a call more than the proof of a module does.
    """

    def __init__(self, channel: grpc.aio.Channel, credential: Credential) -> None:
        self._channel = channel
        self._credential = credential

    def move(self, channel: grpc.aio.Channel) -> grpc.aio.Channel:
        """Makes calls through another channel from now on; returns the one before."""
        before, self._channel = self._channel, channel
        return before

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._with_credential(method, "unary_unary", args, kwargs)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._with_credential(method, "unary_stream", args, kwargs)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._with_credential(method, "stream_unary", args, kwargs)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._with_credential(method, "stream_stream", args, kwargs)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def close(self, grace: float | None = None) -> None:
        await self._channel.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 - gRPC's
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._channel.channel_ready()

    def _with_credential(
        self, path: str, kind: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Callable[..., Any]:
        method, credential = path.removeprefix("/"), self._credential
        channel: grpc.aio.Channel | None = None
        begin: Callable[..., Any]

        def call(*given: Any, metadata: Any = None, **more: Any) -> Any:
            nonlocal channel, begin
            if channel is not self._channel:  # the first call, or the callee has moved
                channel = self._channel
                begin = getattr(channel, kind)(path, *args, **kwargs)
            own = credential.metadata(method)
            return begin(*given, metadata=(*own, *(metadata or ())), **more)

        return call
