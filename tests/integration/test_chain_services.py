"""What a chain does for others, with real proofs: members of rate limits, zones, HTTP.

Two nodes on processes. One writes and registers, the other reads and serves HTTP.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import grpc
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from logos.chain.v1 import admin_pb2, chain_pb2, wallet_pb2, zone_pb2
from logos.chain.v1.admin_pb2_grpc import ChainAdminStub
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos.chain.v1.wallet_pb2_grpc import WalletStub
from logos.chain.v1.zone_pb2_grpc import ZoneIndexerStub, ZoneSequencerStub
from logos.network.v1 import registry_pb2, rln_pb2
from logos.network.v1.registry_pb2_grpc import RegistryStub
from logos.network.v1.rln_pb2_grpc import RlnStub
from logos_testnet.layout import layout_of
from logos_testnet.opening import Description, Places
from logos_testnet.scenarios.tokens import (
    LOOK_S,
    MODULE,
    PATIENCE_S,
    address,
    all_agree,
    info,
    until_included,
)
from logos_testnet.scenarios.waiting import ready_epoch
from logos_testnet.testnet import Testnet, front_door
from own_topology import claim_ports, running

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

NAME, WRITER, READER = "served", "writer", "reader"
PORTS = claim_ports()
TOPOLOGY = f"""\
schema = 1
name = "{NAME}"
target_peers = 1
[ports]
front = {PORTS.front}
p2p = {PORTS.p2p}
[modules.mixnet.settings]
mix = "off"
rln_membership = "registry"
rln_registry = "module:chain"
[modules.chain.settings]
preset = "ci"
rln_registry = true
rln_limit = 100
rln_stake = 1000
claim_delay_slots = 0
[[nodes]]
name = "{WRITER}"
[[nodes]]
name = "{READER}"
[nodes.settings.chain]
http = "127.0.0.1:{PORTS.page}"
"""
LIMITED: Final = b"tests".ljust(32, b"\0")
"""An rln identifier."""
Ask = zone_pb2.PublishRequest
T = TypeVar("T")


@pytest.fixture(scope="module")
def testnet(places: Places) -> Iterator[Testnet]:
    """Blocks come every five seconds and are final after four; no node is a member at first."""
    with running(Description(TOPOLOGY, f"{NAME}.toml"), places, "processes") as opened:
        yield opened


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Calls until a node has joined the network, read its chain, or got what it began final."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await call()
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                await asyncio.sleep(LOOK_S)


# -- members ---------------------------------------------------------------------------------------


async def test_a_member_of_the_chain_is_one_at_every_node(testnet: Testnet) -> None:
    """RLC-7, RLC-9, RLC-11, RLN-30, RLN-40."""
    async with front_door(testnet, WRITER) as writer, front_door(testnet, READER) as reader:
        rln = RlnStub(writer)
        await patiently(lambda: rln.Register(rln_pb2.RegisterRequest()))
        member = await until_active(rln)
        await until_seen(RlnStub(reader), member)

        registry = RegistryStub(reader)
        roots = await registry.ListRoots(registry_pb2.ListRootsRequest())
        assert [each.root for each in roots.roots] == [member.root]
        other = await RlnStub(reader).GetMembership(rln_pb2.GetMembershipRequest())
        assert other.membership.state == rln_pb2.MEMBERSHIP_STATE_NONE
        await until_taken(rln, RlnStub(reader))


async def until_active(rln: Any) -> rln_pb2.Membership:
    """Waits for the epoch from which on a node is a member."""
    async with asyncio.timeout(PATIENCE_S):
        async for each in rln.WatchMembership(rln_pb2.WatchMembershipRequest()):
            if each.membership.state == rln_pb2.MEMBERSHIP_STATE_ACTIVE:
                found: rln_pb2.Membership = each.membership
                return found
    raise AssertionError("the stream has ended")


async def until_seen(rln: Any, member: rln_pb2.Membership) -> None:
    """Waits until a node judges by the root that has one member."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await rln.GetStatus(rln_pb2.RlnGetStatusRequest())
            if (found.members, found.root) == (1, member.root):
                return
            await asyncio.sleep(LOOK_S)


async def until_taken(prover: Any, judge: Any) -> None:
    """Proves signals until one is judged in the epoch of its proof: a busy machine may be late."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            asked = {"rln_identifier": LIMITED, "signal": os.urandom(16)}
            made = await prover.GenerateProof(rln_pb2.GenerateProofRequest(**asked, wait=True))
            found = await judge.VerifyProof(rln_pb2.VerifyProofRequest(**asked, proof=made.proof))
            if found.verdict == rln_pb2.PROOF_VERDICT_VALID:
                return
            assert "EPOCH" in found.reason


# -- zones -----------------------------------------------------------------------------------------


async def test_a_zone_is_read_in_order_at_another_node_also_after_a_kill(testnet: Testnet) -> None:
    """ZON-7, ZON-14, ZON-17, ZON-21 to ZON-24."""
    zone, key = os.urandom(32), Ed25519PrivateKey.generate()
    said = [b"first", b"second"]

    ids = await patiently(lambda: publish(testnet, key, zone, said))

    last = (await info(testnet, WRITER)).final.height
    await until_final(testnet, last)
    read = await scan(testnet, zone)
    assert [each.message.inscription.payload for each in messages(read)] == said
    assert [each.message.id for each in messages(read)] == ids
    assert messages(read)[1].message.inscription.parent == ids[0]
    async with front_door(testnet, READER) as door:
        made = await ChainNodeStub(door).GetChannel(chain_pb2.GetChannelRequest(id=zone))
    assert (list(made.keys), made.tip) == ([key.public_key().public_bytes_raw()], ids[1])
    await kill_the_reader(testnet)
    await until_final(testnet, last)
    assert messages(await scan(testnet, zone)) == messages(read)
    for at, left in enumerate(([said[1]], [])):
        rest = await scan(testnet, zone, cursor=messages(read)[at].cursor)
        assert [each.message.inscription.payload for each in messages(rest)] == left


async def publish(
    testnet: Testnet, key: Ed25519PrivateKey, zone: bytes, payloads: Sequence[bytes]
) -> list[bytes]:
    """Writes to a channel, which the first message makes; returns the final messages' ids."""
    final: list[bytes] = []
    async with front_door(testnet, WRITER) as door, asyncio.timeout(PATIENCE_S):
        call = ZoneSequencerStub(door).Publish()
        public = key.public_key().public_bytes_raw()
        await call.write(Ask(open=Ask.Open(channel=zone, key=public)))
        while len(final) < len(payloads):
            event = await call.read()
            assert isinstance(event, zone_pb2.PublishResponse)  # and no end of the stream
            for each in answers(event, key, zone, payloads):
                await call.write(each)
            final += [each.id for each in event.finalized.messages]
        await call.done_writing()
    return final


def answers(
    event: zone_pb2.PublishResponse, key: Ed25519PrivateKey, zone: bytes, payloads: Sequence[bytes]
) -> Iterator[Ask]:
    """What the holder of a key says to an event."""
    kind = event.WhichOneof("event")
    assert kind != "refused", event
    if kind == "challenge":
        proof = key.sign(b"logos zone sequencer 1" + zone + event.challenge.challenge)
        yield Ask(proof=Ask.Proof(signature=proof))
    elif kind == "opened":
        for number, payload in enumerate(payloads, event.opened.next_number):
            yield Ask(payload=Ask.Payload(number=number, payload=payload))
    elif kind == "sign":
        signature = key.sign(event.sign.hash)
        yield Ask(signature=Ask.Signature(message=event.sign.message, signature=signature))


async def scan(testnet: Testnet, zone: bytes, **start: Any) -> list[zone_pb2.ScanResponse]:
    """Reads a channel at the other node."""
    request = zone_pb2.ScanRequest(channel=zone, **start)

    async def read() -> list[zone_pb2.ScanResponse]:
        async with front_door(testnet, READER) as door:
            return [each async for each in ZoneIndexerStub(door).Scan(request)]

    return await patiently(read)


def messages(read: Sequence[zone_pb2.ScanResponse]) -> list[zone_pb2.ScanResponse]:
    return [each for each in read if each.HasField("message")]


async def until_final(testnet: Testnet, height: int) -> None:
    """Waits until the reader has a final block of a height."""
    async with asyncio.timeout(PATIENCE_S):
        while (await info(testnet, READER)).final.height < height:  # noqa: ASYNC110 - another's
            await asyncio.sleep(LOOK_S)


async def kill_the_reader(testnet: Testnet) -> None:
    """kill -9 of its chain; returns once another process is there."""
    async with front_door(testnet, READER) as door:
        epoch = await ready_epoch(door, MODULE)
        await testnet.kill(READER, MODULE, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE_S):
            while await ready_epoch(door, MODULE) <= epoch:  # noqa: ASYNC110 - another process's
                await asyncio.sleep(LOOK_S)


# -- HTTP ------------------------------------------------------------------------------------------


@pytest.fixture
async def http(testnet: Testnet, places: Places) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the reader's HTTP interface, with its token."""
    folder = layout_of(places.state_root, testnet.plan.topology.name).node(READER)
    token = (folder / "modules" / MODULE / "http.token").read_text(encoding="ascii").strip()
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{PORTS.page}",
        headers={"authorization": f"Bearer {token}"},
        timeout=PATIENCE_S,
    ) as client:
        yield client


async def test_http_answers_as_grpc_does(testnet: Testnet, http: httpx.AsyncClient) -> None:
    """HTP-2, HTP-7 to HTP-9, HTP-12, HTP-16, HTP-17."""
    amount, payee = 1_234, await address(testnet, WRITER)
    async with standing_still(testnet):
        order = {
            "change_public_key": (await address(testnet, READER)).hex(),
            "funding_public_keys": [],
            "recipient_public_key": payee.hex(),
            "amount": amount,
        }
        paid = await http.post("/wallet/transactions/transfer-funds", json=order)
        assert paid.status_code == 201, paid.text
        hash_ = paid.json()["hash"]
        await is_as_grpc_says_while_it_waits(testnet, http, hash_)

    for node in (READER, WRITER):
        await until_included(testnet, node, bytes.fromhex(hash_))

    async def is_all_as_grpc_says() -> None:
        await the_chain_is_as_grpc_says(testnet, http)
        await the_payment_is_as_grpc_says(testnet, http, hash_)
        balance = await found(http, f"/wallet/{payee.hex()}/balance")
        assert balance["balance"] == amount
        assert balance["notes"] == await notes_of(testnet, WRITER, payee)

    async with standing_still(testnet):
        await at_one_tip(testnet, is_all_as_grpc_says)
    refused = await http.get("/cryptarchia/info", headers={"authorization": "Bearer other"})
    assert refused.status_code == httpx.codes.UNAUTHORIZED


@asynccontextmanager
async def standing_still(testnet: Testnet) -> AsyncIterator[None]:
    """No node leads meanwhile, and all have one tip."""
    try:
        await lead(testnet, is_on=False)
        await all_agree(testnet)
        yield
    finally:
        await lead(testnet, is_on=True)


async def at_one_tip(testnet: Testnet, check: Callable[[], Awaitable[None]]) -> None:
    """Checks; once more if a block that was being signed has come meanwhile."""
    while True:
        tip = (await info(testnet, READER)).tip.id
        try:
            return await check()
        except AssertionError:
            if (await info(testnet, READER)).tip.id == tip:
                raise


async def lead(testnet: Testnet, *, is_on: bool) -> None:
    """Switches leading at all nodes."""
    for node in testnet.plan.nodes:
        async with front_door(testnet, node.name) as door:
            await ChainAdminStub(door).SetLeading(admin_pb2.SetLeadingRequest(is_on=is_on))


async def is_as_grpc_says_while_it_waits(
    testnet: Testnet, http: httpx.AsyncClient, hash_: str
) -> None:
    """The mempool's paths, with one transaction in it."""
    async with front_door(testnet, READER) as door:
        page = await ChainNodeStub(door).ListMempool(chain_pb2.ListMempoolRequest(page_size=100))
    assert hash_ in [each.hash.hex() for each in page.transactions]
    assert await found(http, "/mempool/view") == [each.hash.hex() for each in page.transactions]
    assert (await found(http, "/mantle/metrics"))["pending_items"] == page.total
    statuses = await http.post("/mantle/status", json=[hash_, "00" * 32])
    assert statuses.json() == ["Pending", "Unknown"]


async def the_chain_is_as_grpc_says(testnet: Testnet, http: httpx.AsyncClient) -> None:
    """Where it stands, and the block at its tip."""
    stands = await info(testnet, READER)
    where = await found(http, "/cryptarchia/info")
    assert where["phase"] == "Following"
    assert where["cryptarchia_info"] == {
        "lib": stands.final.id.hex(),
        "lib_slot": stands.final.slot,
        "tip": stands.tip.id.hex(),
        "slot": stands.tip.slot,
        "height": stands.tip.height,
        "state": "Online",
    }
    async with front_door(testnet, READER) as door:
        request = chain_pb2.GetBlockRequest(id=stands.tip.id)
        block = await ChainNodeStub(door).GetBlock(request)
    header = (await found(http, f"/cryptarchia/blocks/{stands.tip.id.hex()}"))["header"]
    assert header["id"] == block.summary.point.id.hex()
    assert header["parent_block"] == block.summary.parent.hex()
    assert header["slot"] == block.summary.point.slot
    assert header["body_root"] == block.body_root.hex()
    headers = await found(http, "/cryptarchia/headers")
    assert (headers[0], headers[-1]) == (stands.tip.id.hex(), stands.final.id.hex())
    assert len(headers) == stands.tip.height - stands.final.height + 1


async def the_payment_is_as_grpc_says(
    testnet: Testnet, http: httpx.AsyncClient, hash_: str
) -> None:
    """A transaction of a block, and that block's transactions."""
    async with front_door(testnet, READER) as door:
        node = ChainNodeStub(door)
        request = chain_pb2.GetTransactionRequest(hash=bytes.fromhex(hash_))
        told = await node.GetTransaction(request)
        block = told.status.block
        listing = chain_pb2.ListBlockTransactionsRequest(id=block, page_size=100)
        has = await node.ListBlockTransactions(listing)
    paid = await found(http, f"/cryptarchia/transaction/{hash_}")
    in_block = (await found(http, f"/cryptarchia/blocks/{block.hex()}"))["transactions"]
    hashes = [each["mantle_tx"]["hash"] for each in in_block]
    assert hashes == [each.hash.hex() for each in has.transactions]
    assert hash_ in hashes
    assert paid["mantle_tx"]["hash"] == hash_
    assert hash_ not in await found(http, "/mempool/view")


async def found(http: httpx.AsyncClient, path: str) -> Any:
    """The JSON of an answer that succeeds."""
    answer = await http.get(path)
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.json()


async def notes_of(testnet: Testnet, node: str, key: bytes) -> dict[str, int]:
    """The notes of a wallet with a key, by their ids."""
    async with front_door(testnet, node) as door:
        page = await WalletStub(door).ListNotes(wallet_pb2.ListNotesRequest(page_size=1000))
    return {each.id.hex(): each.note.value for each in page.notes if each.note.public_key == key}
