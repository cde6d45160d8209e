"""HTP-6 to HTP-11: the chain, its blocks and their transactions, over HTTP."""

from collections.abc import AsyncIterator

import pytest
from chain_http import HttpNode, http_node, problem
from chain_rpc import ServedWorld
from chain_world import TWO, until

from logos_chain.core.blocks import kept_block
from logos_chain.core.consensus.types import BlockId
from logos_chain.http import streaming
from logos_chain.http.blocks import MAX_HEADERS
from logos_mantle.blocks import Block
from logos_mantle.headers import SignedHeader

EVENTS = "/cryptarchia/events/blocks/stream"
FINAL = "/cryptarchia/lib-stream"
RANGE = "/cryptarchia/blocks_range"


@pytest.fixture
async def http() -> AsyncIterator[HttpNode]:
    async with http_node() as found:
        yield found


def ids(blocks: list[Block]) -> list[str]:
    return [each.id.hex() for each in blocks]


async def grown(http: HttpNode, length: int) -> list[Block]:
    """A chain from the genesis on, which is its first; all but two are final."""
    chain = http.node.world.chain(http.node.world.root, "a", length)
    await http.node.take(*chain)
    return [http.node.world.root, *chain]


async def test_where_the_chain_and_the_node_stand(http: HttpNode) -> None:
    chain = await grown(http, 5)
    found = await http.found("/cryptarchia/info")
    where = {
        "lib": chain[3].id.hex(),
        "lib_slot": chain[3].header.slot,
        "tip": chain[5].id.hex(),
        "slot": chain[5].header.slot,
        "height": 5,
    }
    assert found == {
        "cryptarchia_info": {**where, "state": "Online"},
        "phase": "Following",
        **where,
        "mode": "Online",
    }


async def test_a_node_that_is_not_online_yet_says_so() -> None:
    world = ServedWorld(TWO)
    async with http_node(world=world, patience_s=60.0, is_online=False) as http:
        await until(lambda: http.node.rooms.start.phase.value == "DOWNLOADING")
        found = await http.found("/cryptarchia/info")
        assert (found["phase"], found["mode"]) == ("InitialBlockDownload", "Bootstrapping")
        http.node.node.clock.ms = -1
        assert (await http.found("/cryptarchia/info"))["phase"] == "AwaitingGenesisTime"


async def test_headers_lead_back_to_the_newest_final_block_or_to_another(http: HttpNode) -> None:
    chain = await grown(http, 8)
    where, names = "/cryptarchia/headers", ids(chain)
    assert await http.found(where) == names[:5:-1]
    assert await http.found(where, to=names[2]) == names[:1:-1]
    assert await http.found(where, **{"from": names[4], "to": "0x" + names[2].upper()}) == [
        names[4],
        names[3],
        names[2],
    ]
    assert await http.found(where, **{"from": names[2]}) == names[2::-1]
    assert await http.found(where, **{"from": names[7], "to": names[7]}) == [names[7]]
    assert problem(await http.get(where, **{"from": "00" * 32})) == (404, "BLOCK_UNKNOWN")


async def test_headers_of_a_fork_lead_back_to_the_chain(http: HttpNode) -> None:
    world = http.node.world
    common = world.chain(world.root, "common", 2)
    local = world.chain(common[-1], "local", 2, first=2)
    other = world.chain(common[-1], "other", 1, first=2)
    await http.node.take(*common, *local, *other)
    found = await http.found("/cryptarchia/headers", **{"from": other[0].id.hex()})
    assert found == [other[0].id.hex(), common[1].id.hex()]


async def test_headers_have_an_end(http: HttpNode, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_HEADERS == 512
    monkeypatch.setattr("logos_chain.http.blocks.MAX_HEADERS", 3)
    chain = await grown(http, 8)
    names = ids(chain)
    assert await http.found("/cryptarchia/headers", to=names[0]) == names[:5:-1]
    below = {"from": names[5], "to": names[0]}
    assert await http.found("/cryptarchia/headers", **below) == names[5:2:-1]


async def test_a_block_by_its_id(http: HttpNode) -> None:
    made = http.node.world.spend(0)
    block = await http.node.extend("with it", made)
    found = await http.found(f"/cryptarchia/blocks/{block.id.hex()}")
    header = found["header"]
    assert header["id"] == block.id.hex()
    assert header["parent_block"] == http.node.world.root.id.hex()
    assert header["slot"] == block.header.slot
    assert header["body_root"] == header["block_root"] == block.header.body_root.hex()
    proof = block.header.leadership
    assert header["proof_of_leadership"] == {
        "proof": proof.proof.hex(),
        "entropy_contribution": proof.entropy.hex(),
        "leader_key": proof.leader_key.hex(),
        "voucher_cm": proof.voucher.hex(),
    }
    assert found["uncle_headers"] == []
    [transaction] = found["transactions"]
    assert transaction["mantle_tx"]["hash"] == made.hash.hex()
    missing = await http.get(f"/cryptarchia/blocks/{'ab' * 32}")
    assert problem(missing) == (404, "BLOCK_UNKNOWN")
    short = await http.get("/cryptarchia/blocks/abcd")
    assert problem(short) == (400, "REQUEST_INVALID")
    assert "id: 32 bytes in hexadecimal, not 2" in short.json()["message"]


async def test_uncles_of_a_block(http: HttpNode) -> None:
    world = http.node.world
    one, other = (world.make(world.root, name) for name in ("one", "other"))
    uncle = SignedHeader(other.header, other.signature)
    block = world.make(one, "with uncle", uncles=[uncle])
    http.node.node.store.kept[BlockId(block.id)] = kept_block(block, block.encode(), 2)
    [found] = (await http.found(f"/cryptarchia/blocks/{block.id.hex()}"))["uncle_headers"]
    assert found["header"]["id"] == other.id.hex()
    assert found["signature"] == other.signature.hex()


async def test_final_blocks_of_a_range_of_slots(http: HttpNode) -> None:
    chain = await grown(http, 6)
    slots = [each.header.slot for each in chain]

    async def between(first: int, last: int) -> list[str]:
        found = await http.found("/cryptarchia/blocks", slot_from=first, slot_to=last)
        return [each["header"]["id"] for each in found]

    assert await between(0, 2**64 - 1) == ids(chain[:5])
    assert await between(slots[1], slots[3]) == ids(chain[1:4])
    assert await between(slots[1] + 1, slots[3] - 1) == ids(chain[2:3])
    assert await between(slots[4] + 1, 10_000) == []
    assert await between(5, 2) == []
    missing = await http.get("/cryptarchia/blocks", slot_from=1)
    assert problem(missing) == (400, "REQUEST_INVALID")


async def test_a_range_in_either_direction(http: HttpNode) -> None:
    chain = await grown(http, 6)
    slots, names = [each.header.slot for each in chain], ids(chain)

    async def lines(**parameters: object) -> list[str]:
        async with http.lines(RANGE, **parameters) as found:
            events = await found.rest()
        for each in events:
            assert (each["tip"], each["tip_slot"]) == (names[-1], slots[-1])
            assert (each["lib"], each["lib_slot"]) == (names[4], slots[4])
        return [each["block"]["header"]["id"] for each in events]

    assert await lines() == names[::-1]
    assert await lines(blocks_limit=2) == names[:-3:-1]
    assert await lines(order="ascending", blocks_limit=2) == names[-2:]
    assert await lines(order="ascending", slot_from=0, blocks_limit=2) == names[:2]
    assert await lines(block_filter="immutable_only") == names[4::-1]
    assert await lines(slot_from=slots[2], slot_to=slots[4], server_batch_size=1) == names[4:1:-1]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"slot_from": 10, "slot_to": 5}, "slot_"),
        ({"slot_to": 2**40}, "slot_to"),
        ({"slot_to": 2**64}, "slot_to"),
        ({"slot_from": -1}, "slot_from"),
        ({"slot_from": "1_0"}, "slot_from"),
        ({"slot_from": "\u0661"}, "slot_from"),
        ({"order": "sideways"}, "order"),
        ({"blocks_limit": 0}, "blocks_limit"),
        ({"blocks_limit": 630_720_001}, "blocks_limit"),
        ({"server_batch_size": 1001}, "server_batch_size"),
        ({"block_filter": "none"}, "block_filter"),
        ({"slot_form": 1}, "slot_form"),
        ({"slot_from": [1, 2]}, "slot_from"),
    ],
)
async def test_a_range_that_is_none(
    http: HttpNode, parameters: dict[str, object], field: str
) -> None:
    answer = await http.get(RANGE, **parameters)
    assert problem(answer) == (400, "REQUEST_INVALID")
    assert answer.json()["message"].startswith(field)


async def test_a_transaction_once_a_block_has_it(http: HttpNode) -> None:
    made = http.node.world.spend(0)
    where = f"/cryptarchia/transaction/{made.hash.hex()}"
    unknown = (404, "TRANSACTION_UNKNOWN")
    assert problem(await http.get(where)) == unknown
    await http.node.rooms.transactions.submit(made.encoded)
    assert problem(await http.get(where)) == unknown
    block = await http.node.extend("with it", made)
    found = await http.found(where)
    assert found["mantle_tx"]["hash"] == made.hash.hex()
    assert found["status"] == {
        "stage": "INCLUDED",
        "block": block.id.hex(),
        "height": 1,
        "confirmations": 1,
    }


# -- streams -------------------------------------------------------------------------------------


async def test_blocks_are_told_as_they_come_with_the_tip_that_each_makes(http: HttpNode) -> None:
    chain = [http.node.world.root, *http.node.world.chain(http.node.world.root, "a", 4)]
    async with http.lines(EVENTS) as lines:
        for height, each in enumerate(chain):
            if height:
                await http.node.take(each)
            found = await lines.next()
            assert found["block"]["header"]["id"] == each.id.hex()
            assert (found["tip"], found["tip_slot"]) == (each.id.hex(), each.header.slot)
            final = chain[max(0, height - 2)]
            assert (found["lib"], found["lib_slot"]) == (final.id.hex(), final.header.slot)


async def test_a_reorganisation_is_told_by_the_blocks_of_the_new_chain(http: HttpNode) -> None:
    world = http.node.world
    common = world.chain(world.root, "common", 1)
    old = world.chain(common[-1], "old", 1, first=2)
    new = world.chain(common[-1], "new", 2, first=2)
    await http.node.take(*common, *old)
    async with http.lines(EVENTS) as lines:
        assert (await lines.next())["tip"] == old[0].id.hex()
        await http.node.take(*new)
        for each in new:
            found = await lines.next()
            assert found["block"]["header"]["id"] == found["tip"] == each.id.hex()


async def test_final_blocks_are_told_once_each(http: HttpNode) -> None:
    async with http.lines(FINAL) as lines:
        chain = await grown(http, 5)
        for height in (1, 2, 3):
            found = await lines.next()
            assert found == {"height": height, "header_id": chain[height].id.hex()}


async def test_streams_have_places_and_give_them_back(
    http: HttpNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "MAX_STREAMS", 2)
    listeners = http.node.rooms.follow.events._listeners
    before = len(listeners)
    async with http.lines(EVENTS) as one, http.lines(FINAL):
        await one.next()
        assert len(listeners) == before + 2
        full = (429, "CHAIN_LISTENERS_FULL")
        assert problem(await http.get(EVENTS)) == full
        assert problem(await http.get(FINAL)) == full
    await until(lambda: len(listeners) == before)
    async with http.lines(EVENTS) as again:
        await again.next()


async def test_streams_end_when_the_module_stops(http: HttpNode) -> None:
    async with http.lines(EVENTS) as one, http.lines(FINAL) as two:
        await one.next()
        http.node.stopping.set()
        assert await one.rest() == []
        assert await two.rest() == []


async def test_a_stream_that_begins_while_the_module_stops_ends_at_once(http: HttpNode) -> None:
    http.node.stopping.set()
    async with http.lines(EVENTS) as lines:
        assert len(await lines.rest()) <= 1
