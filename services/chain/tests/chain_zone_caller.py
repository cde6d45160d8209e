"""A caller of `ZoneSequencer.Publish` that has a key, and knows nothing else of zones."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from chain_ledger import CHANNEL
from chain_rpc import Served, first
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos.chain.v1 import zone_pb2 as pb
from logos_chain.operations.zones.writing import proven_by

KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([each]) * 32) for each in (7, 8))


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


@dataclass
class Caller:
    stream: Any
    key: Ed25519PrivateKey
    signs: bool = True
    signed: list[bytes] = field(default_factory=list)
    """Hashes."""
    heard: list[Any] = field(default_factory=list)

    async def prove(self, challenge: bytes) -> None:
        signature = self.key.sign(proven_by(CHANNEL, challenge))
        await self.stream.write(
            pb.PublishRequest(proof=pb.PublishRequest.Proof(signature=signature))
        )

    async def payload(self, number: int, payload: bytes) -> None:
        wanted = pb.PublishRequest.Payload(number=number, payload=payload)
        await self.stream.write(pb.PublishRequest(payload=wanted))

    async def sign(self, asked: Any) -> None:
        self.signed.append(asked.hash)
        signature = pb.PublishRequest.Signature(
            message=asked.message, signature=self.key.sign(asked.hash)
        )
        await self.stream.write(pb.PublishRequest(signature=signature))

    async def next(self, kind: str, count: int = 1) -> list[Any]:
        """The next events of a kind; signs what it is asked to on the way."""
        found = list[Any]()
        while len(found) < count:
            event = await self._event()
            if event.WhichOneof("event") == kind:
                found.append(getattr(event, kind))
        return found

    async def until(self, holds: Callable[[], bool]) -> None:
        """Reads, and signs what it is asked to, until something holds after an event."""
        while not holds():
            await self._event()

    async def _event(self) -> Any:
        event = await first(self.stream)
        self.heard.append(event)
        if self.signs and event.WhichOneof("event") == "sign":
            await self.sign(event.sign)
        return event

    async def end(self) -> None:
        await self.stream.done_writing()
        while await self.stream.read() is not grpc.aio.EOF:
            pass


async def begun(node: Served, key: Ed25519PrivateKey = KEY, **changes: Any) -> tuple[Any, bytes]:
    """A call, and its challenge."""
    stream = node.sequencer.Publish()
    opening = pb.PublishRequest.Open(**{"channel": CHANNEL, "key": public(key)} | changes)
    await stream.write(pb.PublishRequest(open=opening))
    return stream, (await first(stream)).challenge.challenge


@asynccontextmanager
async def calling(
    node: Served, key: Ed25519PrivateKey = KEY, *, signs: bool = True
) -> AsyncIterator[Caller]:
    stream, challenge = await begun(node, key)
    caller = Caller(stream, key, signs=signs)
    await caller.prove(challenge)
    try:
        yield caller
    finally:
        stream.cancel()
