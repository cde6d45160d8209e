"""Links to other mixes: one stream to each that this node sends to, and one from each that sends.

The rules are in docs/protocol/mix.md, MIX-23.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

from logos_base.errors import LogosError
from logos_mixnet.core.errors import StreamResetError
from logos_mixnet.core.mixing.errors import FrameLengthError, LinkDownError
from logos_mixnet.core.mixing.frames import MIX_PROTOCOL, Frames
from logos_mixnet.core.ports import Stream
from logos_mixnet.core.rln.errors import ProofLateError
from logos_mixnet.core.sphinx.address_block import MixAddress
from logos_mixnet.core.streams import Incoming
from logos_mixnet.operations.streams import StreamOperations
from logos_mixnet.operations.taps import MixTap
from logos_module.errors import ModuleDrainingError

log = logging.getLogger(__name__)

MAX_QUEUED: Final = 256
"""Packets that wait for one link."""
WRITE_TIMEOUT_S: Final = 30.0
"""A peer that takes nothing for so long is given up."""
OPEN_TIMEOUT_S: Final = 10.0

READ_BYTES: Final = 64 * 1024
"""Of one peer at once: what waits for its turn stays with the peer."""

IsFresh = Callable[[bytes], bool]
"""Says of a packet, with its proof, whether it may still leave."""
_Waiting = tuple[bytes, asyncio.Future[None]]
"""A packet, and the future that says that it has left."""

Arrived = Callable[[str, bytes], float]
"""Takes a peer id and a frame that came from it; returns for how many seconds no more is read."""
Changed = Callable[[str], None]
"""Told of a peer to which there is a link, or none any longer."""


class MixLinks:
    """The links of one node."""

    def __init__(
        self,
        streams: StreamOperations,
        add_address: Callable[[str, str], None],
        frame_bytes: int,
        *,
        own: str,
        arrived: Arrived,
        gone: Changed,
        up: Changed,
        down: Changed,
        is_fresh: IsFresh = lambda _frame: True,
        tap: MixTap | None = None,
    ) -> None:
        self._streams = streams
        self._add_address = add_address
        self._own = own
        self._frame_bytes = frame_bytes
        self._arrived = arrived
        self._gone, self._up, self._down = gone, up, down
        self._is_fresh = is_fresh
        self._tap = tap
        self._outgoing: dict[str, _Outgoing] = {}
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._paused: dict[str, asyncio.Event] = {}
        self._resting: dict[str, asyncio.Event] = {}
        """Set when the peer has gone."""
        self._tasks = asyncio.TaskGroup()

    @property
    def peers(self) -> Collection[str]:
        """Peer ids of the mixes that this node sends to."""
        return self._outgoing.keys()

    async def run(self) -> None:
        """Runs until cancelled; takes no more streams once the module is to stop."""
        async with self._tasks:
            with suppress(ModuleDrainingError):
                async with self._streams.listen(MIX_PROTOCOL) as incoming:
                    async for announced in incoming:
                        self._accept(announced)
            await asyncio.Event().wait()  # what is under way may still be sent on

    async def send(self, first_hop: bytes, packet: bytes) -> None:
        """Sends a packet; returns once the connection has taken it.

        One for this node itself has arrived at once.

        Raises:
            AddressBlockError: The block names no peer.
            LinkDownError: It cannot be reached, or too much waits for it.
            ProofLateError: The packet was ready, or had its turn, when its proof was too old.
        """
        address = MixAddress.decode(first_hop)
        if address.peer_id == self._own:
            self._arrived(self._own, packet)
            return
        link = self._outgoing.get(address.peer_id)
        if link is None:
            link = self._outgoing[address.peer_id] = _Outgoing()
            self._tasks.create_task(self._write(address, link))
        await link.put(packet)

    def pause(self, peer_id: str) -> None:
        """Stops reading packets of a peer, until `resume`."""
        self._paused.setdefault(peer_id, asyncio.Event())

    def resume(self, peer_id: str) -> None:
        """Reads them again."""
        paused = self._paused.pop(peer_id, None)
        if paused is not None:
            paused.set()

    def lost(self, peer_id: str) -> None:
        """Forgets what has come of a peer that is not connected any more, and is not read.

        Of a stream that is not read the host does not say that it has ended.
        """
        self._gone(peer_id)
        resting = self._resting.get(peer_id)
        if resting is not None:
            resting.set()

    # -- outgoing ------------------------------------------------------------------------------

    async def _write(self, address: MixAddress, link: "_Outgoing") -> None:
        """Writes what a link is given. The next packet replaces a link that has failed."""
        peer_id = address.peer_id
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                self._add_address(peer_id, str(address))
                stream = await self._streams.open(peer_id, MIX_PROTOCOL)
            self._up(peer_id)
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(_until_ended(stream))
                    both.create_task(self._write_each(stream, link, peer_id))
            finally:
                stream.reset()
        except* (LogosError, TimeoutError) as errors:
            log.debug("link to a mix is down", extra={"peer": peer_id, "error": repr(errors)})
            link.fail(LinkDownError(f"mix {peer_id} cannot be reached"))
            self._down(peer_id)
        finally:
            if self._outgoing.get(peer_id) is link:
                del self._outgoing[peer_id]
            link.fail(LinkDownError("the module is about to stop"))

    async def _write_each(self, stream: Stream, link: "_Outgoing", peer_id: str) -> None:
        frames = Frames(self._frame_bytes)
        while True:
            packet, left = await link.take()
            if not self._is_fresh(packet):
                link.skip(ProofLateError("the proof waited until its epoch was too far away"))
                continue
            frame = frames.frame(packet)
            if self._tap is not None:  # before it leaves: nothing arrives before it was sent
                self._tap.sent(peer_id, len(frame))
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await stream.write(frame)
            if not left.done():
                left.set_result(None)

    # -- incoming ------------------------------------------------------------------------------

    def _accept(self, announced: Incoming) -> None:
        """Takes the newest stream of a peer in place of the one before: it has one."""
        try:
            stream = self._streams.accept(announced.stream_id)
        except LogosError:
            return  # it went away meanwhile
        before = self._reading.pop(stream.peer_id, None)
        if before is not None:
            before.cancel()
        reading = self._tasks.create_task(self._read(stream))
        self._reading[stream.peer_id] = reading

    def _tell_tap(self, peer_id: str, packets: int, whole_bytes: int) -> None:
        if self._tap is not None:
            for _ in range(packets):
                self._tap.arrived(peer_id, whole_bytes)

    async def _read(self, stream: Stream) -> None:
        frames = Frames(self._frame_bytes)
        try:
            while pieces := await stream.read(READ_BYTES):
                packets = frames.take(b"".join(pieces))
                self._tell_tap(stream.peer_id, len(packets), frames.whole_bytes)
                for frame in packets:
                    while (paused := self._paused.get(stream.peer_id)) is not None:
                        await paused.wait()
                    pause_s = self._arrived(stream.peer_id, frame)
                    await asyncio.sleep(0)  # others have their turn after each packet
                    if pause_s:
                        await self._rest(stream.peer_id, pause_s)
        except FrameLengthError as error:
            log.warning("not a mix", extra={"peer": stream.peer_id, "error": str(error)})
        except LogosError:
            pass  # the peer or its connection went away
        finally:
            stream.reset()
            if self._reading.get(stream.peer_id) is asyncio.current_task():
                del self._reading[stream.peer_id]
                self._gone(stream.peer_id)

    async def _rest(self, peer_id: str, pause_s: float) -> None:
        """Sleeps; raises `StreamResetError` if the peer goes: nothing of it is kept then."""
        lost = self._resting[peer_id] = asyncio.Event()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await lost.wait()
                    raise StreamResetError("the peer has gone while it was not read")
        finally:
            if self._resting.get(peer_id) is lost:
                del self._resting[peer_id]


class _Outgoing:
    """Packets that wait for one link."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._news = asyncio.Event()
        self._taken: asyncio.Future[None] | None = None
        self._failure: LinkDownError | None = None

    async def put(self, packet: bytes) -> None:
        """Waits until a packet is on the connection; raises `LinkDownError`."""
        if self._failure is not None:
            raise self._failure
        if len(self._waiting) >= MAX_QUEUED:
            raise LinkDownError(f"{MAX_QUEUED} packets wait for this mix")
        left = asyncio.get_running_loop().create_future()
        self._waiting.append((packet, left))
        self._news.set()
        await left

    async def take(self) -> _Waiting:
        """Waits for the next packet whose sender still waits."""
        while True:
            while self._waiting:
                packet, left = self._waiting.popleft()
                if not left.done():
                    self._taken = left
                    return packet, left
            self._news.clear()
            await self._news.wait()

    def skip(self, error: LogosError) -> None:
        """Refuses the packet that was taken last."""
        if self._taken is not None and not self._taken.done():
            self._taken.set_exception(error)

    def fail(self, error: LinkDownError) -> None:
        """Refuses all that waits. Idempotent."""
        self._failure = self._failure or error
        waiting = [left for _, left in self._waiting]
        self._waiting.clear()
        for left in (self._taken, *waiting):
            if left is not None and not left.done():
                left.set_exception(self._failure)


async def _until_ended(stream: Stream) -> None:
    """Raises `LinkDownError` when the other side ends the stream, on which nothing is to come."""
    await stream.read()
    raise LinkDownError("the other side has ended the link")
