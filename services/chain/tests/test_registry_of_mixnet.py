"""RLN-30, RLN-40, RLC-4, RLC-10: the mixnet's third membership store, and the registry."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from chain_rpc import Served, served
from chain_world import until
from mixnet_rln import LIMIT, MembersRig, Node, evidence_against, has_signed, slash_record

from logos_chain.config import Config
from logos_chain.core.registry.evidence import identity_of_record
from logos_chain.operations.registry.members import RegistryOperations
from logos_mixnet.core.rln.errors import AllocationRefusedError, RegistrationPendingError
from logos_mixnet.core.rln.ports import Registry
from logos_mixnet.core.rln.slashing import SlashRecord
from logos_mixnet.store.rln_registry import RegistryMembers, allocate
from mixnet_memory_stores import MemoryMembers

CONFIG = Config(Path("unused"), lead=False, rln_registry=True, rln_limit=LIMIT)
ADA, BOB = Node.named("ada"), Node.named("bob")


@pytest.fixture
async def node(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(RegistryOperations.__init__, "__kwdefaults__", {"wait_s": 0.05})
    async with served(config=CONFIG) as found:
        yield found


def store(node: Served) -> RegistryMembers:
    async def connect() -> Any:
        return node.channel

    slashes: Any = MemoryMembers()
    return RegistryMembers(connect, slashes)


async def final(node: Served, name: str) -> None:
    await node.include(name)
    for each in range(2):
        await node.extend(f"{name} {each}")
    assert node.rooms.registry is not None
    chain = node.rooms.registry.reader
    await until(lambda: chain._registry.height >= node.rooms.follow.latest_immutable.height)


async def registered(node: Served, members: RegistryMembers, *all_: Node) -> None:
    for each in all_:
        with pytest.raises(RegistrationPendingError):
            await members.register(each.commitment, LIMIT)
        await until(lambda: node.rooms.mempool.count)
        await final(node, each.name)
        await members.register(each.commitment, LIMIT)


async def test_members_of_the_chain_are_those_of_the_mixnet_under_one_root(node: Served) -> None:
    members, rig = store(node), MembersRig(Registry())
    assert node.rooms.registry is not None
    chain = node.rooms.registry.reader
    await until(lambda: chain.is_read)
    await registered(node, members, ADA, BOB)
    place = await allocate(members, LIMIT, BOB.commitment, None)
    assert (place.leaf_index, len(place.transaction_hash)) == (1, 32)

    async with aclosing(members.watch()) as states:  # type: ignore[type-var]
        seen = await anext(states)
        assert seen.genesis == (ADA.commitment, BOB.commitment)
        rig.perform(rig.members.registered(seen, rig.now_ms))
        rig.wait_epochs()
        assert rig.roots[0] == chain.registry.root

        record = SlashRecord.decode(slash_record(ADA, BOB), has_signed)
        for _ in range(2):
            await members.save_slash(record, ADA.commitment)
        assert (await members.load()).slashed == {ADA.commitment}
        await final(node, "slashed")
        seen = await anext(states)
        assert seen.slashed == {ADA.commitment}
        rig.perform(rig.members.registered(seen, rig.now_ms))
        rig.wait_epochs()

    assert rig.roots[0] == chain.registry.root
    with pytest.raises(AllocationRefusedError, match="RLN_MEMBER_SLASHED"):
        await members.register(ADA.commitment, LIMIT)


async def test_what_the_registry_refuses_is_told(node: Served) -> None:
    assert node.rooms.registry is not None
    chain = node.rooms.registry.reader
    await until(lambda: chain.is_read)
    members = store(node)
    with pytest.raises(AllocationRefusedError, match="RLN_LIMIT_MISMATCH"):
        await members.register(ADA.commitment, LIMIT + 1)
    record = SlashRecord.decode(slash_record(ADA, BOB), has_signed)
    with pytest.raises(AllocationRefusedError, match="RLN_EVIDENCE_INVALID"):
        await members.save_slash(record, ADA.commitment)


def test_both_read_the_same_secret_of_a_record() -> None:
    found = identity_of_record(slash_record(ADA, BOB))
    assert found.commitment == evidence_against(ADA).identity().commitment == ADA.commitment
