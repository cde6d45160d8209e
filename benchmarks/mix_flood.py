"""What a flood of packets without valid proofs takes from a mix's honest neighbours (R6).

Three processes with real hosts on loopback: a mix that keeps rate limits; its honest
neighbours, which send it packets with proofs at a steady rate; and neighbours that write packets
at line rate whose headers are genuine and whose proofs are as good as can be without a secret,
all but the proof itself. Goodput is the share of the honest packets whose proofs the mix has
verified when they have all been sent, and two seconds later.
"""

import asyncio
import gc
import multiprocessing
import os
import resource
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path as FilePath
from typing import Any, Final

from benchmarks.report import Figure, say

from logos_crypto import rln
from logos_crypto.rln import Identity, Membership, RateLimitProof
from logos_crypto.trees import RlnTree
from logos_mixnet.config import parse
from logos_mixnet.core.capability.keys import Secp256k1Signer
from logos_mixnet.core.mixing.cover import PROFILES
from logos_mixnet.core.mixing.frames import MIX_PROTOCOL, Frames
from logos_mixnet.core.mixing.intake import Intake
from logos_mixnet.core.ports import Stream
from logos_mixnet.core.rln.application import Application
from logos_mixnet.core.rln.epochs import Epochs
from logos_mixnet.core.rln.frame import ProofFrame
from logos_mixnet.core.rln.signing import is_signed_by
from logos_mixnet.core.sphinx.address_block import MixAddress
from logos_mixnet.core.sphinx.geometry import ADDRESS_BYTES, HERE, MESSAGE_BYTES, PACKET_BYTES
from logos_mixnet.core.sphinx.header import Hop, Path
from logos_mixnet.core.sphinx.packet import Relay, create_packet, receive, unwrap
from logos_mixnet.core.sphinx.primitives import public_key
from logos_mixnet.net.clock import steady_unix_ms, unix_ms
from logos_mixnet.net.host import HostBridge
from logos_mixnet.net.streams import NativeStreams
from logos_mixnet.node import open_host
from logos_mixnet.operations.mixing import Mixing, Options, Surroundings
from logos_mixnet.operations.rln import RlnMember, RlnOperations
from logos_mixnet.operations.streams import StreamOperations
from logos_mixnet.store.mix import SqlMixStore
from logos_mixnet.store.rln import SqlMembers, SqlMessageIdStore
from logos_mixnet.store.schema import SCHEMA
from logos_module.database import open_database

LIMIT: Final = 100
"""Ids of one member in an epoch, as in `strong`."""
HONEST: Final = 2
RATE: Final = 5.0
"""Packets a second of each honest neighbour."""
FLOOD_FRAMES: Final = 64
"""Different packets, sent over and over: none is remembered, so none is a replay."""
RENEWED_S: Final = 0.5
LOST_AT_MOST: Final = 0.2
AHEAD: Final = 3
"""Epochs for which proofs are made before they are sent."""
KEY_EPOCH_MS: Final = 24 * 3600 * 1000
PROOF_BYTES: Final = 301


@dataclass(frozen=True, slots=True)
class Flood:
    """So many peers that flood."""

    peers: int
    is_renewed: bool = False
    """Whether each comes again under another id, once it has had a few packets checked."""

    def __str__(self) -> str:
        return f"{self.peers} peers flood" + (", under new ids" if self.is_renewed else "")


FLOODS: Final = (Flood(1), Flood(32), Flood(16, is_renewed=True))


@dataclass(frozen=True, slots=True)
class Target:
    """What neighbours know of the mix."""

    peer_id: str
    address: str
    key: bytes
    """Its public key as a mix."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the mix has counted."""

    verified: int
    dropped: dict[str, int]
    tags: int
    nullifiers: int
    resident_mib: float
    cpu_s: float


# The mix


def be_mix(pipe: Connection, commitments: Sequence[bytes], folder: str) -> None:
    """Mixes until told to end; answers every other message with its counts."""
    asyncio.run(_mix(pipe, commitments, FilePath(folder)))


async def _mix(pipe: Connection, commitments: Sequence[bytes], folder: FilePath) -> None:
    secret = secrets.token_bytes(32)
    signer = Secp256k1Signer(secret)
    async with AsyncExitStack() as stack:
        peer = await stack.enter_async_context(neighbour(secret))
        database = await stack.enter_async_context(open_database(folder / "mix.sqlite", SCHEMA))
        peer_id, epochs = signer.public_key.peer_id, Epochs()
        own = Identity.random()  # no member: it forwards nothing here
        member = RlnMember(own, peer_id, signer.sign, is_signed_by, LIMIT, epochs)
        guard = RlnOperations(
            member,
            SqlMembers(database, genesis=commitments),
            lambda identifier: SqlMessageIdStore(database, identifier),
            unix_ms,
        )
        await guard.load()
        around = Surroundings(
            peer.host.peer_id,
            peer.streams,
            peer.host.add_address,
            SqlMixStore(database),
            guard,
            Intake(LIMIT, epochs.period_ms),
            steady_unix_ms(),
            secrets.SystemRandom(),
            secrets.token_bytes,
        )
        mixing = Mixing(around, Options(PROFILES["strong"], KEY_EPOCH_MS))
        await mixing.load()
        mixing.join(MixAddress("127.0.0.1", 1, peer.host.peer_id).encode(), lambda _key: None)
        ended = asyncio.Event()
        target = Target(peer.host.peer_id, await peer.listening, mixing.public_key)

        def answer() -> None:
            if pipe.recv() == "end":
                ended.set()
            else:
                pipe.send(_counts(mixing, guard))

        asyncio.get_running_loop().add_reader(pipe.fileno(), answer)
        peer.bridge.on("Disconnected", lambda event: mixing.disconnected(event.peer_id))
        await stack.enter_async_context(meanwhile(guard.run(), mixing.run()))
        while not guard.standing.roots:  # noqa: ASYNC110 - the tree is made in a thread
            await asyncio.sleep(0.05)
        pipe.send(target)
        await ended.wait()


def _counts(mixing: Mixing, guard: RlnOperations) -> Counts:
    gc.collect()
    relay, usage = mixing.relay, resource.getrusage(resource.RUSAGE_SELF)
    pages = int(FilePath("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return Counts(
        relay.verified,
        dict(relay.dropped),
        relay.tags,
        guard.checks.guard.noted,
        pages * os.sysconf("SC_PAGE_SIZE") / 2**20,
        usage.ru_utime + usage.ru_stime,
    )


# Its neighbours


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A host with its streams."""

    host: Any
    bridge: HostBridge
    streams: StreamOperations
    listening: asyncio.Future[str]

    async def link(self, target: Target) -> Stream:
        """Opens a stream for packets."""
        self.host.add_address(target.peer_id, target.address)
        return await self.streams.open(target.peer_id, MIX_PROTOCOL)


@asynccontextmanager
async def neighbour(secret: bytes) -> AsyncIterator[Neighbour]:
    """A host that listens on a port of its own."""
    config = parse({"listen": ["/ip4/127.0.0.1/tcp/0"], "bootstrap": []})
    host = open_host(config, secret)
    bridge = HostBridge(host)
    native = NativeStreams(bridge)
    streams = StreamOperations(native, steady_unix_ms())
    native.deliver(streams.machine, streams.driver)
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    bridge.on("Listening", lambda event: listening.done() or listening.set_result(event.address))
    bridge.start()
    try:
        async with meanwhile(streams.driver.run()):
            yield Neighbour(host, bridge, streams, listening)
    finally:
        bridge.close()


@asynccontextmanager
async def meanwhile(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Does some work for as long as the context is open."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each) for each in work]
        try:
            yield
        finally:
            for each in tasks:
                each.cancel()


def be_flood(pipe: Connection, target: Target, frames: bytes, flood: Flood) -> None:
    """Writes packets from so many neighbours as fast as they go, until told to end."""
    asyncio.run(_flood(pipe, target, frames, flood))


async def _flood(pipe: Connection, target: Target, frames: bytes, flood: Flood) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(pipe.fileno(), ended.set)

    async def write() -> None:
        while True:
            async with neighbour(secrets.token_bytes(32)) as peer:
                stream, ends = await peer.link(target), time.monotonic() + RENEWED_S
                while not flood.is_renewed or time.monotonic() < ends:
                    await stream.write(frames)
                    await asyncio.sleep(0.1 if flood.is_renewed else 0)

    async with meanwhile(*(write() for _ in range(flood.peers))):
        pipe.send("begun")
        await ended.wait()


# Packets


def for_last_hop(key: bytes) -> bytes:
    """A packet that ends at a mix, as the hop before hands it over."""
    private = [os.urandom(32) for _ in range(2)]
    hops = [Hop(public_key(each), os.urandom(ADDRESS_BYTES)) for each in private]
    way = Path([*hops, Hop(key, os.urandom(ADDRESS_BYTES))], (1, 1))
    packet = create_packet(way, HERE, os.urandom(MESSAGE_BYTES), os.urandom)
    for each in private:
        content = unwrap(receive(packet, each))
        if not isinstance(content, Relay):
            raise SystemExit("a packet ends before its last hop")
        packet = content.packet
    return packet


class Members:
    """The honest neighbours as members; there are no others."""

    def __init__(self) -> None:
        self.identities = [Identity.random() for _ in range(HONEST)]
        self.commitments = [each.commitment for each in self.identities]

    def framed(self, key: bytes, number: int) -> list[list[bytes]]:
        """So many packets with proofs of each, for an epoch some time ahead."""
        leaves = [rln.rate_commitment(each, LIMIT) for each in self.commitments]
        tree = RlnTree()
        tree.set_many(list(enumerate(leaves)))
        epoch = Epochs().at(unix_ms()) + AHEAD
        external, found = Application().external_nullifier(epoch), []
        for at, identity in enumerate(self.identities):
            siblings = tree.path(at).siblings
            own = Membership.of(identity, limit=LIMIT, siblings=siblings, index=at, root=tree.root)
            preparer, frames = own.preparer(), []
            for message_id in range(number):
                packet = for_last_hop(key)
                proof = preparer.prepare(external, message_id).finish(rln.signal_x(packet))
                frames.append(packet + RateLimitProof.of(proof, rln.epoch_bytes(epoch)).to_bytes())
            found.append(frames)
        return found


def flood_of(key: bytes, honest: bytes) -> bytes:
    """Packets whose proofs have all that is public, and another's points."""
    frames, real = Frames(PACKET_BYTES + PROOF_BYTES), ProofFrame.decode(honest[PACKET_BYTES:])
    made = []
    for _ in range(FLOOD_FRAMES):
        packet = for_last_hop(key)
        nullifier = secrets.token_bytes(31) + b"\0"
        false = replace(real, share_x=rln.signal_x(packet), nullifier=nullifier)
        made.append(frames.frame(packet + false.encode()))
    return b"".join(made)


# The measurement


@contextmanager
def process(role: Any, *given: Any) -> Iterator[Connection]:
    """A process with a pipe, for as long as the context is open."""
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    started = context.Process(target=role, args=(theirs, *given), daemon=True)
    started.start()
    try:
        yield pipe
    finally:
        pipe.send("end")
        started.join(10)
        started.kill()


def counts(pipe: Connection) -> Counts:
    """Asks the mix."""
    pipe.send("counts")
    found = pipe.recv()
    if not isinstance(found, Counts):
        raise SystemExit(f"the mix says {found!r}")
    return found


@dataclass(frozen=True, slots=True)
class Phase:
    """What came of the honest packets of one phase."""

    goodput: float
    before: Counts
    after: Counts
    took_s: float

    @property
    def cpu(self) -> float:
        """Cores that the mix has used."""
        return (self.after.cpu_s - self.before.cpu_s) / self.took_s


async def send(peers: Sequence[Neighbour], target: Target, packets: list[list[bytes]]) -> None:
    """Sends the packets of each neighbour at the steady rate."""
    frames = Frames(PACKET_BYTES + PROOF_BYTES)

    async def send_each(peer: Neighbour, of_peer: list[bytes]) -> None:
        stream = await peer.link(target)
        began = time.monotonic()
        for number, packet in enumerate(of_peer):
            await asyncio.sleep(began + number / RATE - time.monotonic())
            await stream.write(frames.frame(packet))

    async with asyncio.TaskGroup() as tasks:
        for peer, of_peer in zip(peers, packets, strict=True):
            tasks.create_task(send_each(peer, of_peer))


async def _phase(
    mix: Connection, target: Target, peers: Sequence[Neighbour], packets: list[list[bytes]]
) -> Phase:
    before, began = counts(mix), time.monotonic()
    await send(peers, target, packets)
    await asyncio.sleep(2)
    after = counts(mix)
    share = (after.verified - before.verified) / sum(map(len, packets))
    return Phase(share, before, after, time.monotonic() - began)


async def _measure(mix: Connection, members: Members, number: int) -> dict[Flood | None, Phase]:
    target = mix.recv()
    found: dict[Flood | None, Phase] = {}
    async with AsyncExitStack() as stack:
        peers = [
            await stack.enter_async_context(neighbour(secrets.token_bytes(32)))
            for _ in range(HONEST)
        ]
        for flood in (None, *FLOODS):
            say(f"{number} honest packets of each of {HONEST}, {flood or 'no flood'}")
            packets = members.framed(target.key, number)
            frames = flood_of(target.key, packets[0][0])
            if flood is None:
                found[None] = await _phase(mix, target, peers, packets)
                continue
            with process(be_flood, target, frames, flood) as pipe:
                await asyncio.to_thread(pipe.recv)
                await asyncio.sleep(1)
                found[flood] = await _phase(mix, target, peers, packets)
            await asyncio.sleep(2)
    return found


def figures(seconds: float) -> list[Figure]:
    """Goodput without a flood and with each, in one run; what the mix has kept of it."""
    members, number = Members(), min(int(seconds * RATE), LIMIT)
    with (
        tempfile.TemporaryDirectory() as folder,
        process(be_mix, members.commitments, folder) as mix,
    ):
        found = asyncio.run(_measure(mix, members, number))
    quiet = found[None]
    rows = [Figure("goodput, no flood", 100 * quiet.goodput, "%")]
    for flood in FLOODS:
        phase = found[flood]
        say(f"{flood}: dropped since the start {phase.after.dropped}")
        rows += [
            Figure(
                f"goodput, {flood}",
                100 * phase.goodput,
                "%",
                ratio=phase.goodput / quiet.goodput,
                yardstick="no flood",
                ratio_at_least=1 - LOST_AT_MOST,
            ),
            Figure(f"the mix, {flood}", phase.cpu, "cores"),
        ]
    last = found[FLOODS[-1]].after
    sent = HONEST * number * len(found)
    return [
        *rows,
        Figure("tags, of honest packets sent", last.tags / sent, "", at_most=1.0),
        Figure("nullifiers, of honest packets sent", last.nullifiers / sent, "", at_most=1.0),
        Figure("memory that the floods left", last.resident_mib - quiet.after.resident_mib, "MiB"),
    ]
