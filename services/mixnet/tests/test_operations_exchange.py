"""Peer exchange between nodes, and with peers that break its rules, on hosts that are played."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from exchange_peers import OTHERS, OWN, Party
from mixnet_fake_host import FakeHost, Switchboard
from mixnet_nodes import ManualClock, RunningNode, refused, running, until

from logos.network.v1 import peering_pb2 as pb
from logos.network.v1.streams_pb2 import ListenRequest
from logos_mixnet.core.capability.numbers import RecordNumbers
from logos_mixnet.core.exchange import OF_PEER
from logos_mixnet.core.exchange_wire import (
    MAX_REQUEST_BYTES,
    MAX_RESPONSE_BYTES,
    PROTOCOL,
    ExchangeRequest,
    ExchangeResponse,
    decode_response,
    frame,
)
from logos_mixnet.core.own_record import OwnRecord
from logos_mixnet.operations import exchange as operations
from logos_module.errors import reason_of
from mixnet_memory_stores import MemoryOfferStore, MemoryPeerStore

A, B, C, D, *_ = OTHERS
Start = Callable[..., Awaitable[RunningNode]]


@pytest.fixture
async def start(board: Switchboard, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts the node of a party, which signs records."""
    async with AsyncExitStack() as stack:

        async def start(party: Party, **settings: Any) -> RunningNode:
            host = board.host(party.peer_id, party.address)
            path = tmp_path / f"{party.number}.sock"
            own_record = OwnRecord(party.signer, RecordNumbers())
            node = running(host, path, own_record=own_record, **settings)
            return await stack.enter_async_context(node)

        yield start


class Rogue:
    """A peer that says what a test has it say."""

    def __init__(self, board: Switchboard, party: Party) -> None:
        self.party = party
        self.host: FakeHost = board.host(party.peer_id, party.address)
        self.host.accept_streams(PROTOCOL)
        self.seen: list[Any] = []

    def events(self, name: str) -> list[Any]:
        self.seen += self.host._events
        self.host._events.clear()
        return [event for event in self.seen if type(event).__name__ == name]

    def open(self, node: RunningNode) -> int:
        """Opens a stream to a node; returns its id."""
        before = len(self.events("StreamOpened"))
        self.host.open_stream(node.peer_id, PROTOCOL)
        opened = self.events("StreamOpened")[before]
        assert opened.error is None
        self.host.stream_grant(opened.stream_id, 1 << 20)
        return int(opened.stream_id)

    def say(self, node: RunningNode, raw: bytes, *, ends: bool = True) -> int:
        """Sends bytes on a stream of its own; returns its id."""
        stream_id = self.open(node)
        self.host.stream_write(stream_id, raw)
        if ends:
            self.host.stream_close_write(stream_id)
        return stream_id

    def heard(self, stream_id: int) -> bytes:
        return b"".join(e.data for e in self.events("StreamData") if e.stream_id == stream_id)

    def is_closed(self, stream_id: int) -> bool:
        return any(e.stream_id == stream_id for e in self.events("StreamClosed"))

    def answer(self, raw: bytes, *, ends: bool = True) -> None:
        """Answers the oldest request that it has not answered."""
        stream_id = self.asked()[0].stream_id
        self.seen = [e for e in self.seen if getattr(e, "stream_id", 0) != stream_id]
        self.host.stream_grant(stream_id, 1 << 20)
        self.host.stream_write(stream_id, raw)
        if ends:
            self.host.stream_close_write(stream_id)

    def asked(self) -> list[Any]:
        return self.events("StreamIncoming")


@pytest.fixture
def rogue(board: Switchboard) -> Rogue:
    return Rogue(board, D)


async def joined(rogue: Rogue, node: RunningNode) -> None:
    rogue.host.dial(node.host.address)
    await until(lambda: rogue.asked() and node.connected)


def counts(node: RunningNode) -> Any:
    return node.network.peering.machine.exchange.counts


def knows(node: RunningNode, *parties: Party) -> bool:
    held = node.network.peering.machine.book.with_records()
    return {party.peer_id for party in parties} <= set(held)


async def exchange(node: RunningNode, peer_id: str = "") -> list[Any]:
    request = pb.ExchangePeersRequest(peer_id=peer_id)
    return list((await node.peering.ExchangePeers(request, timeout=60)).peers)


async def test_two_nodes_have_each_others_records_and_pass_them_on(start: Start) -> None:
    one = await start(A, target_peers=1)
    two = await start(B, bootstrap=[A.address], target_peers=1)
    await until(lambda: knows(one, B) and knows(two, A))

    three = await start(C, bootstrap=[A.address], target_peers=1)
    await until(lambda: knows(three, A, B))

    [peer] = [p for p in await peers_of(three) if p.peer_id == B.peer_id]
    assert (list(peer.addresses), peer.connected) == ([B.address], False)
    assert peer.address_info[0].confidence == pb.AddressInfo.CONFIDENCE_LOW
    assert peer.record_seq > 1_700_000_000_000
    identity = await one.peering.GetIdentity(pb.GetIdentityRequest())
    assert identity.counts.records == 2
    assert identity.counts.exchanges_served >= 2
    assert identity.counts.exchanges_failed == 0


async def peers_of(node: RunningNode) -> list[Any]:
    return list((await node.peering.ListPeers(pb.ListPeersRequest())).peers)


async def test_nodes_find_one_another_through_one_that_knows_them(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Kademlia, which finds nobody here."""
    monkeypatch.setattr(FakeHost, "bootstrap", lambda _self: None)
    nodes = [await start(A)]
    nodes += [await start(party, bootstrap=[A.address]) for party in OTHERS[1:8]]

    await until(lambda: all(len(node.host.connections) == 7 for node in nodes))


async def test_a_caller_asks_a_peer_and_sees_what_it_would_answer_itself(start: Start) -> None:
    one = await start(A, target_peers=1)
    two = await start(B, bootstrap=[A.address], target_peers=1)
    await until(lambda: knows(one, B) and knows(two, A))
    assert [peer.peer_id for peer in await exchange(one)] == [B.peer_id]

    three = await start(C, bootstrap=[A.address], target_peers=1)
    await until(lambda: knows(one, C))
    found = await exchange(two, A.peer_id)

    assert [(p.peer_id, list(p.addresses), p.new) for p in found] == [
        (C.peer_id, [C.address], True)
    ]
    assert three.peer_id == C.peer_id


async def test_a_caller_is_told_why_there_are_none(start: Start, rogue: Rogue) -> None:
    one = await start(A)
    async with refused(grpc.StatusCode.UNAVAILABLE, "PEER_NOT_CONNECTED"):
        await exchange(one, D.peer_id)
    async with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PEER_ID"):
        await exchange(one, "x")
    await joined(rogue, one)
    rogue.host.refuse_streams(PROTOCOL)
    rogue.answer(frame(ExchangeResponse().encode()))
    await until(lambda: not one.network.peering.machine.exchange._asked)

    async with refused(grpc.StatusCode.UNAVAILABLE, "PEER_EXCHANGE_FAILED"):
        await exchange(one, D.peer_id)


async def test_a_node_that_does_not_exchange_neither_asks_nor_answers(start: Start) -> None:
    one = await start(A, peer_exchange=False)
    two = await start(B, bootstrap=[A.address])
    await until(lambda: one.connected and counts(two).failed)

    assert counts(one).asked == 0
    assert PROTOCOL not in one.host.accepted
    async with refused(grpc.StatusCode.UNAVAILABLE, "PEER_EXCHANGE_FAILED"):
        await exchange(one, B.peer_id)


BAD_REQUESTS = {
    "garbage": b"\xff" * 200,
    "nothing": b"",
    "endless length": b"\xff" * 3,
    "cut off": frame(ExchangeRequest(16, D.record()).encode())[:-1],
    "two": 2 * frame(ExchangeRequest(16).encode()),
    "oversize": frame(b"\0" * (MAX_REQUEST_BYTES + 1)),
    "a flood of bytes": b"\x90\x08" + b"\0" * 250_000,
    "no record": frame(ExchangeRequest(16, b"\xff" * 99).encode()),
    "record of another": frame(ExchangeRequest(16, C.record()).encode()),
    "forged record": frame(ExchangeRequest(16, D.record()[:-1] + b"\0").encode()),
}


@pytest.mark.parametrize("raw", BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
async def test_a_bad_request_is_reset_and_counted_and_the_next_is_answered(
    start: Start, rogue: Rogue, raw: bytes
) -> None:
    one = await start(A)
    await joined(rogue, one)

    stream_id = rogue.say(one, raw)
    await until(lambda: rogue.is_closed(stream_id))

    await until(lambda: counts(one).refused == 1)
    assert rogue.heard(stream_id) == b""
    assert not knows(one, C)
    again = rogue.say(one, frame(ExchangeRequest(16, D.record()).encode()))
    await until(lambda: rogue.is_closed(again))
    assert open_response(rogue.heard(again)).own
    assert knows(one, D)


def open_response(raw: bytes) -> ExchangeResponse:
    message = raw[2:] if raw[0] & 0x80 else raw[1:]
    assert frame(message) == raw
    return decode_response(message)


async def test_slow_requests_end_and_do_not_keep_others_out(
    start: Start, board: Switchboard, rogue: Rogue
) -> None:
    """Of one peer two are served at a time; more, and those that say nothing in time, are reset."""
    one = await start(A)
    await joined(rogue, one)
    slow = [rogue.say(one, b"\x90", ends=False) for _ in range(20)]
    await until(lambda: sum(map(rogue.is_closed, slow)) == 18)
    assert counts(one).refused == 18

    other = Rogue(board, C)
    await joined(other, one)
    stream_id = other.say(one, frame(ExchangeRequest(16).encode()))
    await until(lambda: other.is_closed(stream_id))

    assert open_response(other.heard(stream_id)).own
    assert one.network.peering.exchange._serving == {D.peer_id: 2}


async def test_a_request_that_does_not_end_in_time_is_reset(
    start: Start, rogue: Rogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "TIMEOUT_S", 0.2)
    one = await start(A)
    await joined(rogue, one)
    slow = [rogue.say(one, b"\x90", ends=False) for _ in range(2)]

    await until(lambda: all(map(rogue.is_closed, slow)))

    await until(lambda: not one.network.peering.exchange._serving)


async def test_a_flood_of_requests_is_answered_as_often_as_is_allowed(
    start: Start, rogue: Rogue
) -> None:
    one = await start(A)
    await joined(rogue, one)
    answered = 0
    for _ in range(20):
        stream_id = rogue.say(one, frame(ExchangeRequest(16).encode()))
        await until(lambda stream_id=stream_id: rogue.is_closed(stream_id))
        answered += bool(rogue.heard(stream_id))

    assert OF_PEER.at_once <= answered <= OF_PEER.at_once + 2  # more if it took over ten seconds
    assert counts(one).refused == 20 - answered


BAD_RESPONSES = {
    "garbage": b"\xff" * 300,
    "nothing": b"",
    "cut off": frame(ExchangeResponse(D.record(), [C.record()]).encode())[:-1],
    "two": 2 * frame(ExchangeResponse(D.record(), [C.record()]).encode()),
    "oversize": frame(b"\0" * (MAX_RESPONSE_BYTES + 1)),
    "a flood of bytes": b"\xc4\x88\x01" + b"\0" * 250_000,
    "too many": frame(ExchangeResponse(b"", [p.record() for p in OTHERS[:17]]).encode()),
    "forged": frame(ExchangeResponse(b"", [C.record(), B.record()[:-1] + b"\0"]).encode()),
    "own of another": frame(ExchangeResponse(C.record(), [B.record()]).encode()),
}


@pytest.mark.parametrize("raw", BAD_RESPONSES.values(), ids=BAD_RESPONSES.keys())
async def test_of_a_bad_response_nothing_is_taken_and_its_peer_is_left_alone(
    start: Start, rogue: Rogue, raw: bytes
) -> None:
    one = await start(A)
    await joined(rogue, one)

    rogue.answer(raw)
    await until(lambda: counts(one).failed)

    assert one.network.peering.machine.book.with_records() == []
    assert not one.network.peering.machine.exchange._asked
    assert D.peer_id in one.network.peering.machine.exchange._resting
    assert one.connected  # it is no reason to part


async def test_a_peer_that_never_answers_is_given_up(
    start: Start, rogue: Rogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "TIMEOUT_S", 0.2)
    one = await start(A)
    await joined(rogue, one)
    await until(lambda: counts(one).failed)

    assert D.peer_id in one.network.peering.machine.exchange._resting


async def test_a_peer_that_goes_away_while_it_is_asked_is_no_riddle(
    start: Start, rogue: Rogue
) -> None:
    one = await start(A)
    await joined(rogue, one)
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(told(exchange(one, D.peer_id)))
        await until(
            lambda: one.network.peering.machine.exchange._asked.get(D.peer_id)
        )  # a caller waits
        rogue.host.disconnect(one.peer_id)
        assert await asking == "PEER_EXCHANGE_FAILED"

    assert not one.network.peering.machine.exchange._resting


async def told(call: Any) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return reason_of(error)
    return "OK"


async def test_what_was_learned_and_banned_outlives_a_restart(
    board: Switchboard, tmp_path: Path
) -> None:
    """D6: a ban survives a restart; so do confidence and records, which say nothing of it."""
    store = MemoryPeerStore()
    host = board.host(OWN.peer_id, OWN.address)
    async with running(
        host,
        tmp_path / "1.sock",
        peers=store,
        own_record=OwnRecord(OWN.signer, RecordNumbers()),
        target_peers=0,
    ) as node:
        rogue = Rogue(board, D)
        await joined(rogue, node)
        records = [B.record(), C.record()]
        rogue.answer(frame(ExchangeResponse(D.record(), records).encode()))
        await until(lambda: knows(node, B, C, D))
        await node.peering.Ban(pb.BanRequest(peer_id=C.peer_id))

    again = board.host(OWN.peer_id, OWN.address)
    async with running(
        again,
        tmp_path / "2.sock",
        peers=store,
        own_record=OwnRecord(OWN.signer, RecordNumbers()),
        target_peers=0,
    ) as node:
        await until(lambda: knows(node, B, C, D))
        await until(lambda: again.banned == {C.peer_id})
        shown = await exchange(node)
        known = {peer.peer_id: peer for peer in await peers_of(node)}

    assert {peer.peer_id for peer in shown} == {B.peer_id, D.peer_id}
    info = pb.AddressInfo
    assert known[B.peer_id].address_info[0].confidence == info.CONFIDENCE_LOW
    assert known[D.peer_id].address_info[0].confidence == info.CONFIDENCE_MEDIUM
    assert known[C.peer_id].HasField("banned_until")


async def test_a_module_may_not_take_the_protocol_for_itself(start: Start) -> None:
    one = await start(A)
    await until(lambda: PROTOCOL in one.host.accepted)
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "PROTOCOL_TAKEN"):
        await one.streams.Listen(ListenRequest(protocol=PROTOCOL)).read()


async def test_a_restart_with_the_clock_set_back_makes_no_record_of_its_own_older(
    board: Switchboard, tmp_path: Path
) -> None:
    """DIS-24: those that it gives its peers, and those of what it offers, have one source."""
    store, clock, numbers = MemoryOfferStore(), ManualClock(10**12), []
    for run in range(3):
        own, host = OwnRecord(OWN.signer, RecordNumbers()), board.host(OWN.peer_id, OWN.address)
        options: Any = {"offers": store, "own_record": own, "clock": clock, "signer": OWN.signer}
        async with running(host, tmp_path / f"{run}.sock", **options) as node:
            await node.network.capability.offering.offer(f"/service/{run}", None, 10**9)
            assert store.seq >= own.current([OWN.address], clock.ms).record.seq
            numbers.append(own.current([OWN.address], clock.ms).record.seq)
        clock.ms -= 3_600_000

    assert numbers == sorted(set(numbers))
