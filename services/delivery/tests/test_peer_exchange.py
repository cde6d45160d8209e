"""DLC-20 to DLC-23, DLC-39 to DLC-42: nodes that tell of nodes, and hostile ones."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from logos_delivery.core.enr import record
from logos_delivery.core.enr.fields import Capability, NodeFields
from logos_delivery.core.enr.identity import RecordKey
from logos_delivery.core.enr.own import own_fields
from logos_delivery.core.enr.record import Record
from logos_delivery.core.enr.shards import RelayShards
from logos_delivery.core.errors import LightPeerBusyError, LightPeerMissingError, PeerFailedError
from logos_delivery.core.light import peer_exchange as wire
from logos_delivery.core.light.peer_exchange import (
    FOUND_MS,
    MAX_FOUND,
    FoundNodes,
    PeerExchangeStatus,
    PeerPool,
    PeersRequest,
    PeersResponse,
    judge,
    pause_ms,
)
from logos_delivery.core.light.rates import RateLimit, ServiceLimits
from logos_delivery.operations.own_record import OwnRecord
from logos_delivery.operations.peer_exchange import (
    OF_PEER,
    PeerExchangeAnswers,
    PeerExchangeClient,
)

UNLIMITED = ServiceLimits(RateLimit(0, 0))


def made(number: int, sequence: int = 1, *, cluster: int = 2) -> Record:
    said = own_fields(
        (f"/ip4/10.0.0.{number}/tcp/1",), Capability.RELAY, RelayShards(cluster, (0,))
    )
    return record.build(RecordKey(number.to_bytes(32, "big")), sequence, said.pairs())


OWN = made(1)
A, B, C = made(2), made(3), made(4)


class Net:
    """`Requests`, `Services` and `NamesPeers`: nodes by peer id that answer with what they have."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[bytes], bytes]] = {}
        self.found: list[str] = []
        self.neighbours: list[str] = []
        self.named: list[tuple[str, dict[str, Sequence[str]]]] = []

    def says(self, peer: str, *records: Record | bytes, status: int = 200) -> None:
        raw = tuple(one if isinstance(one, bytes) else one.raw for one in records)
        response = PeersResponse(raw, PeerExchangeStatus(status))
        self.answers[peer] = lambda _: wire.encode_response(response)

    async def ask(self, peer: str, protocol: str, request: bytes, *, timeout_s: float) -> bytes:
        assert (protocol, timeout_s) == (wire.PROTOCOL, 10.0)
        if peer not in self.answers:
            raise PeerFailedError(f"{peer} does not answer")
        return self.answers[peer](request)

    async def serve(self, protocol: str, answer: Any) -> None:
        raise NotImplementedError

    async def offer(self, service: str) -> None:
        raise NotImplementedError

    async def find(self, service: str) -> Sequence[str]:
        return [*await self.connected(service), *self.found]

    async def connected(self, service: str) -> Sequence[str]:
        assert service == wire.PROTOCOL
        return self.neighbours

    async def looked_up(self, service: str, limit: int) -> Sequence[str]:
        assert service == wire.PROTOCOL
        return self.found[:limit]

    async def name(self, source: str, peers: Mapping[str, Sequence[str]]) -> int:
        self.named.append((source, dict(peers)))
        return len(peers)


def own_record(given: Record | None = OWN) -> OwnRecord:
    nothing: Any = None
    return OwnRecord(
        nothing, nothing, list, int, cluster=2, capabilities=Capability(0), given=given
    )


def client(net: Net, *, now: Callable[[], int] = lambda: 0, **options: Any) -> PeerExchangeClient:
    return PeerExchangeClient(net, net, net, own_record(), now, cluster=2, **options)


def answers(pool: PeerPool, limits: ServiceLimits = UNLIMITED) -> PeerExchangeAnswers:
    return PeerExchangeAnswers(pool, own_record(), limits, lambda: 0)


async def told(serving: PeerExchangeAnswers, count: int, peer: str = "asker") -> PeersResponse:
    raw = await serving(peer, wire.encode_request(PeersRequest(count)))
    assert raw is not None
    return wire.decode_response(raw)


async def test_an_answer_begins_with_the_record_of_who_answers() -> None:
    pool = PeerPool(2)
    pool.refresh([A, B, OWN], bytes(16))

    assert (await told(answers(pool), 1)).records == (OWN.raw,)
    assert set((await told(answers(pool), 60)).records) == {OWN.raw, A.raw, B.raw}
    assert (await told(answers(pool), 0)).records == ()


async def test_a_node_without_a_record_tells_of_others_alone() -> None:
    pool = PeerPool(2)
    pool.refresh([A], bytes(16))
    serving = PeerExchangeAnswers(pool, own_record(None), UNLIMITED, lambda: 0)

    assert (await told(serving, 5)).records == (A.raw,)


async def test_who_asks_too_often_is_refused_and_others_are_not() -> None:
    serving = answers(PeerPool(2))
    for _ in range(OF_PEER.volume):
        assert (await told(serving, 1)).status is PeerExchangeStatus.OK

    assert (await told(serving, 1)).status is PeerExchangeStatus.TOO_MANY_REQUESTS
    assert (await told(serving, 1, "other")).status is PeerExchangeStatus.OK


async def test_the_limit_of_the_settings_holds_besides() -> None:
    serving = answers(PeerPool(2), ServiceLimits(RateLimit(1, 60_000)))
    assert (await told(serving, 1)).status is PeerExchangeStatus.OK
    assert (await told(serving, 1, "other")).status is PeerExchangeStatus.TOO_MANY_REQUESTS


async def test_bytes_that_are_no_request_are_a_bad_one() -> None:
    raw = await answers(PeerPool(2))("asker", b"\xff")
    assert raw is not None
    assert wire.decode_response(raw).status is PeerExchangeStatus.BAD_REQUEST


async def test_only_what_a_look_up_has_found_is_given_away_in_its_own_words() -> None:
    net = Net()
    net.found, net.neighbours = [A.peer_id], [B.peer_id]
    net.says(A.peer_id, A, C)
    net.says(B.peer_id, B)
    asking = client(net)

    await asking.look()

    given = (await told(answers(asking.pool), 60)).records
    assert set(given) == {OWN.raw, A.raw}  # not a neighbour, and no rumour
    assert [source for source, _ in net.named] == [A.peer_id, B.peer_id]
    assert net.named[0][1] == {
        A.peer_id: ("/ip4/10.0.0.2/tcp/1",),
        C.peer_id: ("/ip4/10.0.0.4/tcp/1",),
    }


async def test_a_node_that_does_not_answer_does_not_keep_others_from_being_asked() -> None:
    net = Net()
    net.found = [C.peer_id, A.peer_id]
    net.says(A.peer_id, A)
    asking = client(net)

    await asking.look()

    assert (await told(answers(asking.pool), 60)).records == (OWN.raw, A.raw)


async def test_nodes_of_the_settings_are_begun_with_and_given_away() -> None:
    net = Net()
    asking = client(net, given=[A])
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(asking.run())
        while not net.named:  # noqa: ASYNC110
            await asyncio.sleep(0)
        running.cancel()

    assert net.named == [("", {A.peer_id: ("/ip4/10.0.0.2/tcp/1",)})]
    assert (await told(answers(asking.pool), 60)).records == (OWN.raw, A.raw)


async def test_records_that_do_not_verify_are_left_out_and_the_rest_is_used() -> None:
    net = Net()
    forged = bytearray(A.raw)
    forged[10] ^= 1
    net.says("server", bytes(forged), b"\xc0", bytes(301), made(5, cluster=3), OWN, B, made(3, 9))

    found = await client(net).get(60, "server")

    assert [(one.peer_id, one.sequence) for one in found.records] == [(B.peer_id, 9)]
    assert (found.peer, found.new) == ("server", 1)
    assert net.named == [("server", {B.peer_id: ("/ip4/10.0.0.3/tcp/1",)})]


async def test_a_response_with_over_60_records_is_not_read() -> None:
    net = Net()
    net.says("server", *[A] * 61)
    with pytest.raises(PeerFailedError, match="over 60"):
        await client(net).get(60, "server")
    assert not net.named


@pytest.mark.parametrize("raw", [b"", b"\xff\xff", b"\x0a\x00\x12\x02\x0a\x05"])
async def test_a_response_that_is_none_is_the_peers_fault(raw: bytes) -> None:
    net = Net()
    net.answers["server"] = lambda _: raw
    with pytest.raises(PeerFailedError):
        await client(net).get(5, "server")


async def test_what_a_server_refuses_is_said() -> None:
    net = Net()
    net.says("server", status=429)
    with pytest.raises(LightPeerBusyError):
        await client(net).get(5, "server")
    net.says("server", status=503)
    with pytest.raises(PeerFailedError, match="SERVICE_UNAVAILABLE"):
        await client(net).get(5, "server")
    with pytest.raises(LightPeerMissingError):
        await client(Net()).get(5)


async def test_another_server_is_asked_where_one_does_not_answer() -> None:
    net = Net()
    net.found = ["gone", "server"]
    net.says("server", A)

    found = await client(net, peers=["away"]).get(5)

    assert (found.peer, found.records) == ("server", (A,))


def test_a_node_that_is_found_no_more_is_given_away_no_longer() -> None:
    nodes = FoundNodes([C])
    nodes.take(A, 0)
    nodes.take(B, 1)
    nodes.take(made(3, 0), 2)  # an older record than one that is known

    assert nodes.fresh(FOUND_MS) == [C, B]
    assert nodes.fresh(FOUND_MS + 2) == [C]


def test_not_more_nodes_are_kept_than_may_be() -> None:
    nodes = FoundNodes()
    for number in range(1, MAX_FOUND + 10):
        nodes.take(record.build(RecordKey(number.to_bytes(32, "big")), 1, {}), 0)

    assert len(nodes.fresh(0)) == MAX_FOUND


def test_a_record_without_a_cluster_is_judged_good() -> None:
    unsaid = record.build(RecordKey(bytes(31) + b"\7"), 1, NodeFields(tcp=1).pairs())
    assert judge([unsaid.raw], cluster=2).records == (unsaid,)


def test_pauses_double_up_to_ten_minutes() -> None:
    assert [pause_ms(rounds) for rounds in (0, 1, 2, 8, 9, 1_000)] == [
        2_000,
        4_000,
        8_000,
        512_000,
        600_000,
        600_000,
    ]
