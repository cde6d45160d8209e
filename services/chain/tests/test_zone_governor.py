"""ZON-25 to ZON-33: the library's client of a channel's keys and notes, at a whole node."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from chain_ledger import BOB, CHANNEL
from chain_rpc import Served, served, told
from chain_zone_caller import KEY, OTHER, calling, public

from logos.chain.v1 import zone_pb2 as pb
from logos_mantle.notes import Note
from logos_zone_sdk.core.governing import Draft
from logos_zone_sdk.governing import Change, ZoneGovernor

VALUE = 1_000
README = Path(__file__).parents[3] / "libs/logos-zone-sdk/README.md"


@pytest.fixture
async def node() -> AsyncIterator[Served]:
    async with served() as found:
        keys = [public(KEY), public(OTHER)]
        await found.sequencer.CreateChannel(pb.CreateChannelRequest(channel=CHANNEL, keys=keys))
        await found.include("channel")
        yield found


@pytest.fixture
def governor(node: Served) -> ZoneGovernor:
    return ZoneGovernor(CHANNEL, node.channel)


async def signed_apart(governor: ZoneGovernor, asked: Change) -> bytes:
    """Two holders sign copies of a file; a third person brings them together."""
    file = (await governor.draft(asked)).encode()
    first, second = [Draft.decode(file).signed(each, asked).encode() for each in (KEY, OTHER)]
    return await governor.submit(Draft.decode(second).joined(Draft.decode(first)))


async def test_keys_that_are_apart_change_rules_and_pay(
    node: Served, governor: ZoneGovernor
) -> None:
    rules = await governor.rules()
    both = replace(rules, configuration_threshold=2, transfer_threshold=2)
    await signed_apart(governor, both)
    await node.include("configured")
    assert await governor.rules() == both

    await governor.deposit(VALUE)
    await node.include("deposit")
    [inside] = [name for name, each in node.rooms.wallet.notes().items() if each.channel]
    output = Note(300, BOB)
    asked = await governor.withdrawal([inside], output)
    assert asked.rest is not None
    assert asked.rest.value == VALUE - 300
    before = node.rooms.wallet.reserved()
    alone = (await governor.draft(asked)).signed(KEY, asked)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await governor.submit(alone)
    assert told(caught.value) == ("FAILED_PRECONDITION", "ZONE_THRESHOLD_NOT_REACHED")
    await governor.abandon(alone)
    assert node.rooms.wallet.reserved() == before
    await signed_apart(governor, asked)
    await node.include("paid")
    assert node.rooms.wallet.balances().in_channels == VALUE - 300

    [left] = [name for name, each in node.rooms.wallet.notes().items() if each.channel]
    await signed_apart(governor, await governor.withdrawal([left]))
    await node.include("released")
    assert node.rooms.wallet.balances().in_channels == 0


async def test_what_is_kept_is_told_and_forgotten(node: Served, governor: ZoneGovernor) -> None:
    """ZON-25, ZON-26."""
    async with calling(node, signs=False) as caller:
        await caller.next("ready")
        await caller.payload(0, b"one")
        await caller.next("pending", 1)
        await caller.end()
    kept = await governor.kept(public(KEY))
    assert (kept.next_number, kept.pending) == (1, {0: 3})
    assert kept.final.id == node.rooms.follow.latest_immutable.id
    await governor.forget(public(KEY))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await governor.kept(public(KEY))
    assert told(caught.value) == ("NOT_FOUND", "ZONE_SEQUENCER_UNKNOWN")


async def test_the_code_of_the_readme_runs(node: Served, governor: ZoneGovernor) -> None:
    """ZON-31, ZON-32."""
    code: dict[str, Any] = {}
    for block in README.read_text("utf-8").split("```python\n")[1:]:
        exec(block.partition("```")[0], code)  # noqa: S102 - the project's own

    await code["lengthen_turns"](CHANNEL, OTHER, node.channel)
    await node.include("configured")
    assert (await governor.rules()).posting_timeframe_slots == 600
    await governor.deposit(VALUE)
    await node.include("deposit")
    [inside] = [name for name, each in node.rooms.wallet.notes().items() if each.channel]
    file = await code["drafted"](CHANNEL, inside, BOB, node.channel)
    files = [code["signed"](file, each) for each in (KEY, OTHER)]
    await code["submitted"](files, node.channel)
    await node.include("paid")
    assert node.rooms.wallet.balances().in_channels == VALUE - 300
