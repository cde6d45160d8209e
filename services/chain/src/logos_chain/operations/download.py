"""One download: drives the machine of core/consensus/sync/downloading.py.

There is one stream at a time, on which one block is read when it is asked for.

Spec: docs/protocol/chain-network.md, CNW-9.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from logos_base.errors import LogosError, NetworkDeniedError, StreamLostError
from logos_chain.core.consensus.errors import RejectReason, SyncMalformedError, SyncTooLargeError
from logos_chain.core.consensus.sync.downloading import (
    Apply,
    AskBlocks,
    AskTip,
    Diverged,
    Downloading,
    Effect,
    Ended,
    EndPeer,
    PeerEnd,
    Progress,
    ReadNext,
)
from logos_chain.core.consensus.sync.messages import (
    MAX_RESPONSE_BYTES,
    MAX_TEXT_BYTES,
    BlockResponse,
    EndResponse,
    FailureResponse,
    TipRequest,
    TipResponse,
    decode_download,
    decode_tip,
    encode_request,
)
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.net_ports import SyncPeers, SyncStream
from logos_mantle.errors import MalformedError
from logos_mantle.headers import HEADER_BYTES, Header
from logos_module.driver import Driver
from logos_module.errors import cause_of

log = logging.getLogger(__name__)

MAX_TIP_BYTES: Final = 4 + 8 + MAX_TEXT_BYTES

Take = Callable[[bytes, str], Awaitable[RejectReason | None]]
"""`FollowOperations.take`."""


@dataclass(frozen=True, slots=True)
class DownloadProgress:
    """How far a download is."""

    blocks: int = 0
    """Taken in so far."""
    slot: int = 0
    """Of the newest of them."""
    target_slot: int | None = None
    """As the peer says that is asked now; None: not known."""
    is_over: bool = False


class Download:
    """One run. `finish` once."""

    def __init__(
        self,
        machine: Downloading,
        take: Take,
        peers: SyncPeers,
        monotonic_ms: Callable[[], int],
    ) -> None:
        self._machine = machine
        self._take = take
        self._peers = peers
        self._driver: Driver[Effect] = Driver(self._machine, self._perform, monotonic_ms)
        self._reading: asyncio.Task[None] | None = None
        self._next = asyncio.Event()
        self._raw = b""
        """The block that was read last."""
        self._slot = 0
        self._outcome: Ended | None = None
        self.progress = DownloadProgress()
        self.diverged: Callable[[Diverged], None] = lambda _found: None
        self.ended: Callable[[str, PeerEnd], None] = lambda _peer, _reason: None

    async def finish(self) -> bool:
        """Runs to the end; returns whether it is complete (CON-43).

        Raises what `take` raises.
        """
        self._driver.put(self._machine.begin)
        try:
            await self._driver.run()
        except* LogosError as group:
            raise cause_of(group) from None
        self._tell(is_over=True)
        return self._outcome is not None and self._outcome.is_complete

    @property
    def has_followed_all(self) -> bool:
        """Whether it has ended, and every peer was followed to its tip."""
        ends = () if self._outcome is None else self._outcome.reasons
        return bool(ends) and all(reason is PeerEnd.DONE for _, reason in ends)

    def _perform(self, effect: Effect) -> Coroutine[Any, Any, None] | None:
        match effect:
            case AskTip(call, peer):
                self._read(self._ask_tip(call, peer))
            case AskBlocks(call, peer):
                self._read(self._ask_blocks(effect))
            case ReadNext():
                self._next.set()
            case Apply(call, peer, _):
                self._driver.start(self._apply(call, peer))
            case EndPeer(peer, reason):
                self._read(None)
                self.ended(peer, reason)
            case Diverged():
                self.diverged(effect)
            case Progress(blocks, slot, target_slot):
                log.info(
                    "downloading blocks",
                    extra={"blocks": blocks, "slot": slot, "target_slot": target_slot},
                )
            case Ended():
                self._outcome = effect
                self._driver.stop()
        return None

    def _read(self, reading: Coroutine[Any, Any, None] | None) -> None:
        """Reads from another stream from now on; the one before is reset."""
        if self._reading is not None:
            self._reading.cancel()
        self._reading = None if reading is None else self._driver.start(reading)

    async def _ask_tip(self, call: int, peer: str) -> None:
        machine, report = self._machine, self._driver.report
        try:
            async with self._peers.open(peer) as stream:
                await stream.send(encode_request(TipRequest()))
                raw = await stream.receive(MAX_TIP_BYTES)
                await _end(stream)
            found = None if raw is None else decode_tip(raw)
        except (SyncMalformedError, SyncTooLargeError):
            report(machine.malformed, call)
        except (StreamLostError, NetworkDeniedError):
            report(machine.lost, call)
        else:
            match found:
                case None:
                    report(machine.lost, call)
                case FailureResponse():
                    report(machine.answered_failure, call)
                case TipResponse(tip, slot, _):
                    self._tell(target_slot=slot)
                    report(machine.tip, call, tip, slot)

    async def _ask_blocks(self, asked: AskBlocks) -> None:
        machine, call = self._machine, asked.call
        try:
            async with self._peers.open(asked.peer) as stream:
                await stream.send(encode_request(asked.request))
                while await self._read_one(call, stream):
                    await self._next.wait()
        except (SyncMalformedError, SyncTooLargeError, MalformedError):
            self._driver.report(machine.malformed, call)
        except (StreamLostError, NetworkDeniedError):
            self._driver.report(machine.lost, call)

    async def _read_one(self, call: int, stream: SyncStream) -> bool:
        """Reads one message and reports it; returns whether it was a block."""
        machine, report = self._machine, self._driver.report
        raw = await stream.receive(MAX_RESPONSE_BYTES)
        message = None if raw is None else decode_download(raw)
        if not isinstance(message, BlockResponse):
            await _end(stream)
        match message:
            case BlockResponse(block):
                header = Header.decode(block[:HEADER_BYTES])
                self._raw, self._slot = block, header.slot
                self._next.clear()
                identifier, parent = BlockId(header.id), BlockId(header.parent)
                report(machine.block, call, identifier, parent, header.slot)
                return True
            case EndResponse():
                report(machine.ended, call)
            case FailureResponse():
                report(machine.answered_failure, call)
            case None:
                report(machine.lost, call)
        return False

    async def _apply(self, call: int, peer: str) -> None:
        raw, slot = self._raw, self._slot
        self._raw = b""
        reason = await self._take(raw, peer)
        if reason is None:
            self._tell(blocks=self.progress.blocks + 1, slot=slot)
            self._driver.report(self._machine.applied, call)
        else:
            self._driver.report(self._machine.refused, call, reason)

    def _tell(self, **changes: Any) -> None:
        self.progress = replace(self.progress, **changes)


async def _end(stream: SyncStream) -> None:
    """Ends this side: the peer waits for that, so as not to take back what it has sent."""
    with suppress(StreamLostError):  # it has not waited
        await stream.end()
