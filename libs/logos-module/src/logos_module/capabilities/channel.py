"""The caller's side: a channel whose calls carry a token and a proof (KER-15, KER-16)."""

from collections.abc import Callable
from typing import Any, Self

import grpc

from logos_module.capabilities.metadata import PROOF_FIELD, TOKEN_FIELD
from logos_module.capabilities.proofs import Prover

Metadata = tuple[tuple[str, bytes], ...]


class Credential:
    """A token for one callee, and the key to prove that it is ours. Renewed in place."""

    def __init__(self) -> None:
        self._token = b""
        self._token_id = b""
        self._prover: Prover | None = None
        self._renew_at_s = 0.0

    def renew(self, token: bytes, token_id: bytes, key: bytes, *, renew_at_s: float) -> None:
        """Takes a new token.

        Args:
            token: At most 512 bytes.
            token_id: The name of it, 16 bytes.
            key: What `shared_key` gives for its callee.
            renew_at_s: When to ask for the next one, by the clock of `is_due`.
        """
        self._token, self._token_id, self._renew_at_s = token, token_id, renew_at_s
        if self._prover is None or not self._prover.has(key):
            self._prover = Prover(key)

    def is_due(self, now_s: float) -> bool:
        """Says whether it is time to renew it."""
        return now_s >= self._renew_at_s

    def metadata(self, method: str) -> Metadata:
        """Returns what a call of `package.Service/Method` carries; once for each call."""
        if self._prover is None:
            return ()
        proof = self._prover.prove(self._token_id, method)
        return (TOKEN_FIELD, self._token), (PROOF_FIELD, proof)


class AuthorizedChannel(grpc.aio.Channel):
    """A channel that adds a credential to each call; all else is the inner channel's.

    No interceptor: those of grpc.aio cost a call more than the proof does.
    """

    def __init__(self, channel: grpc.aio.Channel, credential: Credential) -> None:
        self._channel = channel
        self._credential = credential

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._with_credential(method, self._channel.unary_unary(method, *args, **kwargs))

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._with_credential(method, self._channel.unary_stream(method, *args, **kwargs))

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._with_credential(method, self._channel.stream_unary(method, *args, **kwargs))

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._with_credential(method, self._channel.stream_stream(method, *args, **kwargs))

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

    def _with_credential(self, path: str, begin: Callable[..., Any]) -> Callable[..., Any]:
        method, credential = path.removeprefix("/"), self._credential

        def call(*args: Any, metadata: Any = None, **kwargs: Any) -> Any:
            given = credential.metadata(method)
            return begin(*args, metadata=(*given, *(metadata or ())), **kwargs)

        return call
