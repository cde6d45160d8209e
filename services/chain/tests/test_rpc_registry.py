"""RLC-1, RLC-7 to RLC-11: the registry of members as mixnets use it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from chain_kept import KeptRegistries
from chain_ledger import ALICE, field_of
from chain_registry import LIMIT, STAKE, commitment, identity, root_of
from chain_rpc import Served, ServedNode, refused, served
from chain_world import until

from logos.network.v1 import registry_pb2 as pb
from logos_chain.config import Config
from logos_chain.core.registry.errors import RegistryBehindError
from logos_chain.core.registry.messages import Slash
from logos_chain.core.wallet.types import Deposit
from logos_chain.operations.registry import members, reading
from logos_mantle.channels import ChannelConfig, ChannelDeposit
from logos_mantle.octets import ZERO

CONFIG = Config(Path("unused"), lead=False, rln_registry=True, rln_limit=LIMIT, rln_stake=STAKE)


@pytest.fixture
async def node(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(members.RegistryOperations.__init__, "__kwdefaults__", {"wait_s": 0.05})
    async with served(config=CONFIG) as found:
        await until(lambda: reader(found).is_read)
        yield found


def reader(node: Served) -> Any:
    assert node.rooms.registry is not None
    return node.rooms.registry.reader


def asked(number: int, limit: int = LIMIT) -> pb.RegisterMemberRequest:
    return pb.RegisterMemberRequest(commitment=commitment(number), limit=limit)


async def final(node: Served, name: str) -> None:
    """Puts all that waits into a block, and two more on it."""
    await node.include(name)
    for each in range(2):
        await node.extend(f"{name} {each}")
    await until(lambda: reader(node)._registry.height >= node.rooms.follow.latest_immutable.height)


async def registered(node: Served, *numbers: int) -> None:
    for each in numbers:
        pending = await refused(node.registry.RegisterMember(asked(each)))
        assert pending == ("UNAVAILABLE", "RLN_REGISTRATION_PENDING")
        await until(lambda: node.rooms.mempool.count)
        await final(node, f"registered {each}")


@asynccontextmanager
async def watching(node: Served) -> AsyncIterator[Any]:
    stream = node.registry.WatchMembers(pb.WatchMembersRequest())
    try:
        yield stream
    finally:
        stream.cancel()


async def test_a_member_is_registered_once_and_final(node: Served) -> None:
    async with watching(node) as stream:
        seen = await stream.read()
        assert (list(seen.members), seen.complete) == ([], True)
        await registered(node, 0)
        seen = await stream.read()

    [member] = seen.members
    assert (member.leaf_index, member.commitment) == (0, commitment(0))
    assert (seen.complete, seen.root, member.slashed) == (True, root_of({0: 0}), False)
    done = await node.registry.RegisterMember(asked(0))
    assert await node.registry.RegisterMember(asked(0)) == done
    [block] = [
        each
        for each in node.world.blocks.values()
        if done.transaction_hash in [one.hash for one in each.transactions]
    ]
    [begin, _, stake] = block.transactions[0].transaction.operations
    assert isinstance(begin, ChannelConfig)
    assert isinstance(stake, ChannelDeposit)
    assert node.rooms.wallet.balances().in_channels == STAKE
    roots = (await node.registry.ListRoots(pb.ListRootsRequest())).roots
    assert [(each.root, each.block_number) for each in roots] == [(seen.root, done.block_number)]


async def test_a_call_that_waits_is_answered_when_its_block_is_final() -> None:
    async with served(config=CONFIG) as node:
        await until(lambda: reader(node).is_read)
        found: list[Any] = []

        async def register() -> None:
            found.append(await node.registry.RegisterMember(asked(0)))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(register())
            await until(lambda: node.rooms.mempool.count == 1)
            await final(node, "with it")
        assert [each.leaf_index for each in found] == [0]


async def test_a_second_member_finds_the_channel(node: Served) -> None:
    await registered(node, 0, 1)
    assert reader(node).registry.root == root_of({0: 0, 1: 1})
    assert node.rooms.wallet.balances().in_channels == 2 * STAKE


async def test_a_registration_goes_on_over_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members.RegistryOperations.__init__, "__kwdefaults__", {"wait_s": 0.05})
    kept = ServedNode(config=CONFIG)
    try:
        async with kept.up() as node:
            await node.online()
            await node.settle()
            await until(lambda: reader(node).is_read)
            await refused(node.registry.RegisterMember(asked(0)))
        async with kept.up() as node:
            await node.online()
            await node.settle()
            await until(lambda: node.rooms.mempool.count == 1 and reader(node).is_read)
            await registered(node, 0)
            done = await node.registry.RegisterMember(asked(0))
            before = reader(node).registry.root
        assert kept.registries.states
        async with kept.up() as node:
            await node.online()
            await until(lambda: reader(node).is_read)
            assert await node.registry.RegisterMember(asked(0)) == done
            assert reader(node).registry.root == before
    finally:
        kept.close()


async def test_a_slash_removes_a_member_and_is_told(node: Served) -> None:
    await registered(node, 0, 1)
    async with watching(node) as stream:
        assert len((await stream.read()).members) == 2
        request = pb.ReportSlashRequest(secret=identity(0).secret())
        for _ in range(2):
            await node.registry.ReportSlash(request)
        assert node.rooms.mempool.count == 1
        await final(node, "slashed")
        seen = await stream.read()

    assert [(each.leaf_index, each.slashed) for each in seen.members] == [(0, True)]
    assert seen.root == root_of({1: 1})
    await node.registry.ReportSlash(request)
    assert node.rooms.mempool.count == 0
    slashed = await refused(node.registry.RegisterMember(asked(0)))
    assert slashed == ("PERMISSION_DENIED", "RLN_MEMBER_SLASHED")
    [owed] = reader(node).registry.owed()
    assert owed.removal.reporter in {
        each.note.public_key for each in node.rooms.wallet.notes().values()
    }


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.ReportSlashRequest(), "RLN_SLASH_MALFORMED"),
        (pb.ReportSlashRequest(record=b"\1" * 256, secret=field_of(9)), "RLN_SLASH_MALFORMED"),
        (pb.ReportSlashRequest(record=b"\1" * 9), "RLN_SLASH_MALFORMED"),
        (pb.ReportSlashRequest(record=b"\1" * 256), "RLN_EVIDENCE_INVALID"),
        (pb.ReportSlashRequest(secret=ZERO), "RLN_EVIDENCE_INVALID"),
        (pb.ReportSlashRequest(secret=field_of(9)), "RLN_EVIDENCE_INVALID"),
    ],
)
async def test_what_convicts_no_member_is_refused(
    node: Served, request_: pb.ReportSlashRequest, reason: str
) -> None:
    assert await refused(node.registry.ReportSlash(request_)) == ("INVALID_ARGUMENT", reason)


async def test_what_is_no_member_to_be_is_refused(node: Served) -> None:
    call = node.registry.RegisterMember
    assert await refused(call(asked(0, LIMIT + 1))) == ("INVALID_ARGUMENT", "RLN_LIMIT_MISMATCH")
    for each in (b"", ZERO, b"\xff" * 32):
        request = pb.RegisterMemberRequest(commitment=each, limit=LIMIT)
        assert await refused(call(request)) == ("INVALID_ARGUMENT", "RLN_COMMITMENT_INVALID")


async def test_a_wallet_with_too_little_says_so() -> None:
    config = Config(
        Path("unused"), lead=False, rln_registry=True, rln_limit=LIMIT, rln_stake=10**15
    )
    async with served(config=config) as node:
        await until(lambda: reader(node).is_read)
        poor = await refused(node.registry.RegisterMember(asked(0)))
        assert poor == ("FAILED_PRECONDITION", "WALLET_FUNDS_INSUFFICIENT")


async def test_a_channel_that_another_has_begun_is_no_registry(node: Served) -> None:
    rules = reader(node).rules
    taken = ChannelConfig(rules.channel, (ALICE,), 0, 0, 1, 1)
    await node.rooms.wallet.deposit(Deposit(rules.channel, 1, b""), [taken])
    await final(node, "taken")
    closed = await refused(node.registry.RegisterMember(asked(0)))
    assert closed == ("FAILED_PRECONDITION", "RLN_REGISTRY_TAKEN")


async def test_a_node_without_a_registry_says_so() -> None:
    async with served() as node:
        for call, request in (
            (node.registry.RegisterMember, asked(0)),
            (node.registry.ReportSlash, pb.ReportSlashRequest(secret=field_of(9))),
            (node.registry.ListRoots, pb.ListRootsRequest()),
        ):
            assert await refused(call(request)) == ("FAILED_PRECONDITION", "RLN_REGISTRY_OFF")
        stream = node.registry.WatchMembers(pb.WatchMembersRequest())
        assert await refused(stream.read()) == ("FAILED_PRECONDITION", "RLN_REGISTRY_OFF")


async def test_a_registry_that_was_not_read_yet_says_so(node: Served) -> None:
    reader(node).is_read = False
    behind = ("UNAVAILABLE", "RLN_REGISTRY_BEHIND")
    assert await refused(node.registry.ListRoots(pb.ListRootsRequest())) == behind
    assert await refused(node.registry.RegisterMember(asked(0))) == behind


async def test_nothing_is_told_while_the_node_downloads(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LOOK_S", 0.01)
    is_online: list[bool] = []
    late = members.RegistryReader(
        reader(node).rules,
        node.rooms.follow,
        node.node.store,
        KeptRegistries(),
        lambda: bool(is_online),
    )
    await registered(node, 0)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(late.run())
        await until(lambda: late._registry.height == reader(node).registry.height)
        with pytest.raises(RegistryBehindError):
            assert late.registry
        is_online.append(True)
        await until(lambda: late.is_read)
        task.cancel()
    assert late.registry.members == reader(node).registry.members


async def test_what_was_kept_and_is_damaged_is_read_anew(node: Served) -> None:
    await registered(node, 0)
    kept = node.node
    kept.registries.states[reader(node).rules.channel] = b"\1damaged"
    again = members.RegistryReader(
        reader(node).rules, node.rooms.follow, kept.store, kept.registries, lambda: True
    )
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(again.run())
        await until(lambda: again.is_read)
        task.cancel()
    assert again.registry.root == reader(node).registry.root


async def test_a_reorganisation_leaves_the_members_of_the_final_chain(node: Served) -> None:
    await registered(node, 0)
    fork = node.tip
    await refused(node.registry.RegisterMember(asked(1)))
    await node.include("left")
    right = node.world.chain(fork, "right", 2, first=8)
    await node.take(*right)
    await until(lambda: node.rooms.mempool.count == 1)
    await refused(node.registry.ReportSlash(pb.ReportSlashRequest(secret=field_of(2))))
    await final(node, "again")

    fresh = members.RegistryReader(
        reader(node).rules, node.rooms.follow, node.node.store, KeptRegistries(), lambda: True
    )
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(fresh.run())
        await until(lambda: fresh.is_read)
        task.cancel()
    assert fresh.registry.members == reader(node).registry.members
    assert fresh.registry.root == reader(node).registry.root == root_of({0: 0, 1: 1})


async def test_many_members_are_told_in_parts(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from logos_chain.rpc import registry as rpc  # noqa: PLC0415 - to be changed

    monkeypatch.setattr(rpc, "MAX_TOLD", 1)
    await registered(node, 0, 1)
    async with watching(node) as stream:
        seen = [await stream.read() for _ in range(2)]
    assert [len(each.members) for each in seen] == [1, 1]
    assert [each.complete for each in seen] == [False, True]


async def test_a_watcher_ends_with_the_module(node: Served) -> None:
    assert node.rooms.registry is not None
    async with aclosing(node.rooms.registry.operations.watch()) as states:
        await anext(states)
        node.stopping.set()
        with pytest.raises(Exception, match="about to stop"):
            await anext(states)


def test_a_slash_message_is_of_34_bytes() -> None:
    assert len(Slash(identity(0).secret()).encode()) == 34
