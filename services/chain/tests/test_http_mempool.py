"""HTP-12 to HTP-15: transactions that wait, prices, declarations and channels, over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from chain_http import HttpNode, http_node, problem, signed_json
from chain_ledger import ALICE, CHANNEL, KEYS, genesis, named, signed
from chain_rpc import ServedWorld
from chain_world import FALSE, TWO

from logos_chain.core.mempool.errors import MempoolBusyError, MempoolRefusal
from logos_mantle.channels import ChannelInscribe
from logos_mantle.notes import Note
from logos_mantle.proofs import ZkSignatureProof
from logos_mantle.transfers import Transfer

ADD = "/mempool/add/tx"


@pytest.fixture
async def http() -> AsyncIterator[HttpNode]:
    async with http_node() as found:
        yield found


async def test_a_transaction_waits_once_it_was_added(http: HttpNode) -> None:
    made = http.node.world.spend(0)
    empty = {"pending_items": 0, "last_item_timestamp": 0}
    assert await http.found("/mantle/metrics") == empty
    for _ in range(2):  # one that waits already is no error
        answer = await http.add(signed_json(made))
        assert (answer.status_code, answer.json()) == (200, None)
    assert await http.found("/mempool/view") == [made.hash.hex()]
    metrics = {"pending_items": 1, "last_item_timestamp": http.node.node.clock.ms}
    assert await http.found("/mantle/metrics") == metrics
    asked = ["0x" + made.hash.hex(), "00" * 32]
    assert (await http.post("/mantle/status", asked)).json() == ["Pending", "Unknown"]
    await http.node.include("with it")
    assert await http.found("/mempool/view") == []
    assert (await http.post("/mantle/status", asked)).json() == ["Unknown", "Unknown"]


async def test_what_is_not_taken_says_why(http: HttpNode) -> None:
    world = http.node.world
    one = world.spend(0)
    false = world.spend(1, proofs=(ZkSignatureProof(FALSE),))
    assert problem(await http.add(signed_json(false))) == (400, "INVALID_PROOF")
    await http.add(signed_json(one))
    other = world.spend(0, "other")
    assert problem(await http.add(signed_json(other))) == (409, "CONFLICT")
    nothing = signed(Transfer((named("no note"),), (Note(1, ALICE),)))
    answer = await http.add(signed_json(nothing))
    assert problem(answer) == (409, "TRANSACTION_REFUSED")
    assert "UNKNOWN_NOTE" in answer.json()["message"]
    await http.node.extend("with it", one)
    assert problem(await http.add(signed_json(one))) == (409, "ALREADY_INCLUDED")
    above = signed_json(one)
    above["mantle_tx"]["ops"][0]["payload"]["inputs"] = ["ff" * 32]
    assert problem(await http.add(above)) == (400, "MANTLE_VALUE_UNENCODABLE")


async def test_a_mempool_without_room_says_when_to_come_again(
    http: HttpNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(_raw: bytes) -> bytes:
        raise MempoolBusyError(MempoolRefusal.BUSY)

    monkeypatch.setattr(http.node.rooms.mempool, "submit", busy)
    answer = await http.add(signed_json(http.node.world.spend(0)))
    assert (problem(answer), answer.headers["retry-after"]) == ((503, "BUSY"), "1")


@pytest.mark.parametrize("body", [{}, "00", [1], [["00" * 32]], ["00" * 32] * 1025])
async def test_what_is_no_list_of_hashes(http: HttpNode, body: Any) -> None:
    assert problem(await http.post("/mantle/status", body)) == (400, "REQUEST_INVALID")


async def test_prices_at_the_tip_and_at_no_other_block(http: HttpNode) -> None:
    block = await http.node.extend("one")
    ledger = http.node.rooms.follow
    head = (await ledger.at_tip(lambda found: found.head)).value
    expected = {
        "tip": block.id.hex(),
        "execution_base_gas_price": head.execution.price,
        "storage_gas_price": head.storage.price,
    }
    assert await http.found("/mantle/gas-prices") == expected
    assert await http.found("/mantle/gas-prices", tip=block.id.hex()) == expected
    older = await http.get("/mantle/gas-prices", tip=http.node.world.root.id.hex())
    assert problem(older) == (404, "LEDGER_NOT_KEPT")
    none = await http.get("/mantle/gas-prices", tip="x")
    assert problem(none) == (400, "REQUEST_INVALID")


async def test_declarations_of_services() -> None:
    declared = genesis(declared=["a"])
    world = ServedWorld(TWO)
    world.genesis = declared
    world.network = replace(world.network, genesis=declared)
    world.blocks = {declared.block.id: declared.block}
    async with http_node(world=world) as http:
        [(identifier, found)] = (await http.found("/mantle/sdp/declarations")).items()
        message = declared.declarations[0]
        assert identifier == message.declaration_id().hex()
        assert found == {
            "service_type": "BN",
            "provider_id": message.provider_id.hex(),
            "zk_id": message.zk_id.hex(),
            "service_note_id": message.locked_note_id.hex(),
            "locators": ["/ip4/127.0.0.1/udp/3000/quic-v1"],
            "created": 0,
            "active": None,
            "withdrawn": None,
            "nonce": 0,
        }
        snapshot = await http.found("/mantle/sdp/snapshot")
        assert snapshot.keys() == {identifier}
        assert snapshot[identifier]["provider_id"] == message.provider_id.hex()


async def test_a_channel_at_the_tip(http: HttpNode) -> None:
    where = f"/channel/{CHANNEL.hex()}"
    answer = await http.get(where)
    assert problem(answer) == (404, "CHANNEL_UNKNOWN")
    assert "channel not found" in answer.json()["message"]  # what the reference's client looks for
    made = http.node.world.spend(0)
    inscribed = signed(
        ChannelInscribe(CHANNEL, b"hello", bytes(32), KEYS[0]), *made.transaction.operations
    )
    block = await http.node.extend("with it", inscribed)
    channel = (await http.node.rooms.follow.at_tip(lambda ledger: ledger.channel(CHANNEL))).value
    assert channel is not None
    assert await http.found(where) == {
        "accredited_keys": [KEYS[0].hex()],
        "configuration_threshold": 1,
        "tip_message": channel.tip.hex(),
        "tip_slot": block.header.slot,
        "tip_sequencer": 0,
        "tip_sequencer_starting_slot": block.header.slot,
        "posting_timeframe": 0,
        "posting_timeout": 0,
        "transfer_threshold": 1,
    }
    assert problem(await http.get("/channel/deposit")) == (400, "REQUEST_INVALID")
