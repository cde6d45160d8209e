"""The panel Explorer before a node: pages, what arrives, ids, hostile content, what is away."""

import asyncio
import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from app_chain import (
    DROPPED,
    FINAL,
    INCLUDED,
    KEY,
    MAX_U64,
    PENDING,
    Visitor,
    an_id,
    summary,
    transfer,
    visiting_chain,
)
from app_rig import until
from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1 import transaction_pb2
from logos_app.nodes.model import Reach
from logos_app.panels.chain.following import chain_of
from logos_app.running import background
from logos_app.testnet.broadcast import _follow_panel, _live_part

HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
async def visitor(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visiting_chain(tmp_path, "explorer") as one:
        yield one


async def part(visitor: Visitor, thing: str = "") -> str:
    """What the stream brings of the page, or of one about a thing."""
    found = await _live_part(visitor.shell, f"explorer:node1{thing}")
    assert found is not None
    return found


async def test_the_page_says_how_the_chain_stands(visitor: Visitor) -> None:
    page = await visitor.get()

    for text in (
        "Block 10 is the newest at node1, all up to 7 are final, and node1 leads.",
        "explorer%3Anode1",
        "height <b>10</b>",
        "final <b>3</b> below",
        "epoch <b>4</b>",
        "<b>2</b> waiting",
        "<b>18.4 E</b> tokens in all",
        "every 10 s, in one of 10 slots of 1 s",
        f'id="block-{an_id(10).hex()}"',
    ):
        assert text in page, text
    assert page.count("<h1") == 1
    rows = re.findall(r'<tr id="block-.*?</tr>', page)
    assert len(rows) == 11
    assert [">final<" in row for row in rows] == [False] * 3 + [True] * 8


async def test_blocks_arrive_by_one_stream(visitor: Visitor) -> None:
    panel = visitor.place.panel
    assert panel.follow is not None
    async with background(_follow_panel(visitor.shell, panel, "node1", panel.follow)):
        await until(lambda: len(visitor.node.watched_after) == 1)
        visitor.node.grow(summary(11, transactions=3))
        await until(lambda: len(chain_of(visitor.place).blocks) == 12)

        text = await part(visitor)

    assert visitor.node.watched_after == [an_id(10)]
    assert "Block 11 is the newest at node1, all up to 8 are final" in text
    assert f'id="block-{an_id(11).hex()}"' in text
    assert 'data-live="yes"' in text
    assert await part(visitor) != text  # it is not followed any longer


async def test_what_ends_is_followed_again_from_where_it_is(visitor: Visitor) -> None:
    panel = visitor.place.panel
    assert panel.follow is not None
    async with background(_follow_panel(visitor.shell, panel, "node1", panel.follow)):
        await until(lambda: chain_of(visitor.place).is_followed)
        visitor.node.moves.put_nowait(None)
        await until(lambda: not chain_of(visitor.place).is_followed)
        told = visitor.tab.queue[-1].data
        visitor.node.grow(summary(11))
        visitor.node.moves = asyncio.Queue()
        await until(lambda: len(visitor.node.watched_after) == 2)

    assert 'data-live="no">as of <time' in told
    assert visitor.node.watched_after == [an_id(10), an_id(11)]
    assert len({each.point.id for each in chain_of(visitor.place).blocks}) == 12


async def test_a_part_is_the_same_until_something_changes(visitor: Visitor) -> None:
    await visitor.get()

    assert await part(visitor) == await part(visitor)


async def test_older_blocks_stand_on_pages_of_their_own(visitor: Visitor) -> None:
    visitor.node.chain = [summary(height) for height in range(120)]
    page = await visitor.get()
    older = re.search(r'href="/at/node1/explorer/(\?page=50)"', page)

    assert older is not None
    second = await visitor.get(older[1])
    assert "data-arriving" not in second
    assert "explorer%3Anode1" not in second
    assert 'title="' + an_id(69).hex() in second
    assert an_id(70).hex() not in second


async def test_a_full_page_is_small_enough_for_the_first_load(visitor: Visitor) -> None:
    visitor.node.chain = [summary(height, transactions=1024) for height in range(100_000, 100_060)]
    page = await visitor.get()

    assert page.count('<tr id="block-') == 50
    assert len(page.encode()) < 60_000
    assert len(gzip.compress(page.encode())) < 8_000


async def test_a_block_and_a_thousand_transactions(visitor: Visitor) -> None:
    visitor.node.chain[9].transactions = 1000
    visitor.node.bodies[an_id(9)] = [transfer(number) for number in range(1000)]

    assert await visitor.get("block/9", 303) == f"/at/node1/explorer/block/{an_id(9).hex()}"
    page = await visitor.get(f"block/0x{an_id(9).hex().upper()}")
    assert "Block 9 has 1,000 transactions, and two confirmations." in page
    assert "50 of 1,000 transactions" in page
    assert page.count("/explorer/tx/") == 50
    assert len(page) < 60_000
    last = await visitor.get(f"block/{an_id(9).hex()}?page=950")
    assert an_id(999, "t").hex() in last
    assert '<button type="button" aria-disabled="true" title="There are no older ones">' in last


async def test_a_block_page_goes_on_with_the_chain(visitor: Visitor) -> None:
    thing = f":block-{an_id(9).hex()}"
    await visitor.get()
    before = await part(visitor, thing)
    visitor.node.grow(summary(11), summary(12))
    await visitor.get()

    assert "two confirmations" in before
    assert "is final" in await part(visitor, thing)


async def test_a_transaction_in_words_and_its_status(visitor: Visitor) -> None:
    one = transfer(5)
    visitor.node.bodies[an_id(9)] = [one]
    visitor.node.statuses[one.hash] = transaction_pb2.TransactionStatus(
        stage=INCLUDED, block=an_id(9), height=9, confirmations=2, final_in_ms=180_000
    )
    page = await visitor.get(f"tx/{one.hash.hex()}")

    for text in (
        "The transaction is in block 9, with two confirmations, and final in about 3 min.",
        "It spends one note and makes two notes of 18,446,744,073,709,551,622 tokens.",
        f'href="/at/node1/explorer/note/{an_id(11, "n").hex()}"',
        f'href="/at/node1/explorer/block/{an_id(9).hex()}"',
        f"{MAX_U64:,}",
    ):
        assert text in page, text
    visitor.node.statuses[one.hash] = transaction_pb2.TransactionStatus(
        stage=FINAL, block=an_id(9), height=9
    )
    visitor.node.grow(summary(11))
    await visitor.get()
    assert "is final, in block 9" in await part(visitor, f":tx-{one.hash.hex()}")


async def test_a_transaction_that_was_dropped_says_why(visitor: Visitor) -> None:
    visitor.node.statuses[an_id(1, "t")] = transaction_pb2.TransactionStatus(
        stage=DROPPED, reason="SPENT_NOTE"
    )
    page = await visitor.get(f"tx/{an_id(1, 't').hex()}")

    assert "was dropped: another transaction has spent a note of it." in page
    assert "<code>SPENT_NOTE</code>" in page
    assert "What it was to do is not kept." in page


async def test_operations_of_a_large_transaction_are_paged(visitor: Visitor) -> None:
    one = transfer(5)
    one.operations.extend([one.operations[0]] * 254)
    visitor.node.bodies[an_id(9)] = [one]
    visitor.node.statuses[one.hash] = transaction_pb2.TransactionStatus(stage=PENDING)
    page = await visitor.get(f"tx/{one.hash.hex()}?page=1")
    last = await visitor.get(f"tx/{one.hash.hex()}?page=99999")

    assert "Operations 6 to 10 of 255" in page
    assert "6. It spends one note" in page
    assert "Operations 251 to 255 of 255" in last


async def test_hostile_content_stays_text(visitor: Visitor) -> None:
    visitor.node.info.chain_id = HOSTILE
    visitor.node.info.leading.standing = HOSTILE
    one = transfer(5)
    one.operations[0].kind = HOSTILE
    one.operations.append(
        transaction_pb2.Operation(
            kind="CHANNEL_INSCRIBE", channel=an_id(1, "h"), inscription=HOSTILE.encode() * 1000
        )
    )
    visitor.node.bodies[an_id(9)] = visitor.node.waiting = [one]
    visitor.node.statuses[one.hash] = transaction_pb2.TransactionStatus(
        stage=DROPPED, reason=HOSTILE
    )
    pages = [
        await visitor.get(path)
        for path in (
            "",
            f"tx/{one.hash.hex()}",
            f"block/{an_id(9).hex()}",
            "mempool",
            f"find?q={HOSTILE}",
            f"/go?q={HOSTILE}",
        )
    ]

    for page in pages:
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert "&lt;script&gt;" in page
        assert "[U+202E]" in page
        assert len(page) < 80_000


async def test_the_largest_numbers_are_whole(visitor: Visitor) -> None:
    visitor.node.chain.append(summary(11))
    visitor.node.chain[-1].point.height = MAX_U64
    visitor.node.info.epoch.total_stake = MAX_U64

    page = await visitor.get()

    assert "Block 18,446,744,073,709,551,615 is the newest" in page
    assert "18,446,744,073,709,551,615 tokens, estimated" in page


async def test_a_note_and_a_channel(visitor: Visitor) -> None:
    visitor.node.notes[an_id(1, "n")] = pb.GetNoteResponse(
        note=transaction_pb2.Note(value=7, public_key=KEY), place=3, block=an_id(10)
    )
    visitor.node.channels[an_id(1, "h")] = pb.GetChannelResponse(
        keys=[KEY], tip=an_id(2, "m"), posting_timeframe_slots=30, block=an_id(10)
    )

    assert "The note has 7 tokens, and is not spent." in await visitor.get(
        f"note/{an_id(1, 'n').hex()}"
    )
    channel = await visitor.get(f"channel/{an_id(1, 'h').hex()}")
    assert "One key may write to the channel." in channel
    assert "of 30 slots; it was that of key 1" in channel


async def test_forks_and_what_waits(visitor: Visitor) -> None:
    visitor.node.forks = [
        pb.ListForksResponse.Fork(
            tip=summary(9, "x").point, common=summary(8).point, blocks=1, local_blocks=2
        )
    ]
    visitor.node.waiting = [transfer(3)]

    assert "Node1 keeps one fork beside its chain." in await visitor.get("forks")
    mempool = await visitor.get("mempool")
    assert "One transaction waits for a block at node1." in mempool
    assert ">TRANSFER<" in mempool


async def test_blocks_that_were_replaced_are_said_until_that_is_settled(visitor: Visitor) -> None:
    panel = visitor.place.panel
    assert panel.follow is not None
    async with background(_follow_panel(visitor.shell, panel, "node1", panel.follow)):
        await until(lambda: chain_of(visitor.place).is_followed)
        visitor.node.grow(summary(9, "x"), summary(10, "x"), summary(11, "x"), removed=2)
        await until(lambda: chain_of(visitor.place).replaced is not None)
        page = await visitor.get()
        visitor.node.grow(*(summary(height) for height in range(12, 16)))
        await until(lambda: chain_of(visitor.place).replaced is None)

    assert "Two blocks have left the chain for others." in page
    assert f'href="/at/node1/explorer/block/{an_id(10).hex()}"' in page
    assert f'id="block-{an_id(10).hex()}"' not in page
    assert f'id="block-{an_id(10, "x").hex()}"' in page


@pytest.mark.parametrize(
    ("query", "leads"),
    [
        ("9", f"block/{an_id(9).hex()}"),
        (an_id(9).hex(), f"block/{an_id(9).hex()}"),
        ("0x" + an_id(9).hex().upper(), f"block/{an_id(9).hex()}"),
        (an_id(5, "t").hex(), f"tx/{an_id(5, 't').hex()}"),
        (an_id(1, "n").hex(), f"note/{an_id(1, 'n').hex()}"),
        (an_id(1, "h").hex(), f"channel/{an_id(1, 'h').hex()}"),
    ],
)
async def test_ids_and_heights_are_found(query: str, leads: str, visitor: Visitor) -> None:
    visitor.node.statuses[an_id(5, "t")] = transaction_pb2.TransactionStatus(stage=PENDING)
    visitor.node.notes[an_id(1, "n")] = pb.GetNoteResponse(
        note=transaction_pb2.Note(value=7, public_key=KEY)
    )
    visitor.node.channels[an_id(1, "h")] = pb.GetChannelResponse(keys=[KEY])

    assert await visitor.get(f"find?q={query}", 303) == f"/at/node1/explorer/{leads}"
    assert await visitor.get(f"/go?q={query}", 303) == f"/at/node1/explorer/{leads}"


async def test_an_id_of_several_things_lists_them(visitor: Visitor) -> None:
    visitor.node.statuses[an_id(9)] = transaction_pb2.TransactionStatus(stage=PENDING)

    for path in (f"find?q={an_id(9).hex()}", f"/go?q={an_id(9).hex()}"):
        page = await visitor.get(path)
        assert "may mean two things." in page
        assert f"/at/node1/explorer/block/{an_id(9).hex()}" in page
        assert f"/at/node1/explorer/tx/{an_id(9).hex()}" in page


@pytest.mark.parametrize("query", ["999", "nothing", "ab" * 31, an_id(77).hex(), "9" * 60, ""])
async def test_what_is_not_there_is_said(query: str, visitor: Visitor) -> None:
    page = await visitor.get(f"find?q={query}")

    assert "has nothing called" in page or "What do you look for?" in page


@pytest.mark.parametrize("path", ["block/xyz", "tx/12", "note/0x", "channel/" + "g" * 64])
async def test_an_address_without_an_id_says_so(path: str, visitor: Visitor) -> None:
    assert "INVALID_ID" in await visitor.get(path, 404)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("block/999", "BLOCK_UNKNOWN"),
        (f"block/{an_id(99).hex()}", "BLOCK_UNKNOWN"),
        (f"tx/{an_id(99, 't').hex()}", "TRANSACTION_UNKNOWN"),
        (f"note/{an_id(99, 'n').hex()}", "NOTE_UNKNOWN"),
        (f"channel/{an_id(99, 'h').hex()}", "CHANNEL_UNKNOWN"),
    ],
)
async def test_an_id_that_is_not_known_says_so(path: str, reason: str, visitor: Visitor) -> None:
    assert reason in await visitor.get(path, 404)


async def test_pages_without_a_node_pick_one_and_say_which(visitor: Visitor) -> None:
    visitor.node.statuses[an_id(5, "t")] = transaction_pb2.TransactionStatus(stage=PENDING)

    block = await visitor.get(f"/chain/block/0x{an_id(9).hex()}")
    assert (
        f'Seen from <a href="/at/node1/explorer/block/{an_id(9).hex()}">node1</a>: it has it.'
    ) in block
    assert "waits for a block" in await visitor.get(f"/chain/tx/{an_id(5, 't').hex()}")
    assert "BLOCK_UNKNOWN" in await visitor.get(f"/chain/block/{an_id(99).hex()}", 404)
    assert "INVALID_ID" in await visitor.get("/chain/tx/9", 404)
    visitor.seen(reach=Reach.AWAY)
    assert "CHAIN_NOT_READY" in await visitor.get(f"/chain/block/{an_id(9).hex()}", 404)


async def test_a_node_that_is_away_leaves_what_was_known(visitor: Visitor) -> None:
    await visitor.get()
    visitor.node.is_off = grpc.StatusCode.UNAVAILABLE
    visitor.seen(reach=Reach.AWAY)
    page = await visitor.get()

    assert "The chain of node1 cannot be seen now." in page
    assert "KERNEL_UNREACHABLE" in page
    assert "as of <time" in page
    assert f'id="block-{an_id(10).hex()}"' in page
    assert await _live_part(visitor.shell, "explorer:node1") is None


async def test_a_node_that_never_answered_has_words(visitor: Visitor) -> None:
    visitor.node.is_off = grpc.StatusCode.UNIMPLEMENTED
    page = await visitor.get()

    assert "The chain of node1 cannot be seen now." in page
    assert "Asking node1 for its chain" in page


async def test_an_isolated_node_says_so(visitor: Visitor) -> None:
    visitor.seen(is_isolated=True)

    assert "node1 is isolated: it hears of no block but its own. Heal it." in await visitor.get()


@pytest.mark.parametrize(
    "topic", ["", ":", ":block-", ":tx-zz", f":tx-{'f' * 64}", ":note-" + "a" * 64]
)
async def test_topics_of_others_bring_nothing(topic: str, visitor: Visitor) -> None:
    try:
        found = await _live_part(visitor.shell, f"explorer:node1:{topic}")
    except grpc.aio.AioRpcError:
        found = ""

    assert not found or topic == ""


async def test_the_figure_is_the_height(visitor: Visitor) -> None:
    panel = visitor.place.panel
    assert panel.figure is not None

    assert await panel.figure(visitor.place.channel) == "10"
