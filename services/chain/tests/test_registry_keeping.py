"""RLC-6, RLC-12: the keeper rewards reporters out of stakes, and burns the rest."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chain_ledger import BOB, named
from chain_registry import (
    BEGIN,
    LIMIT,
    RULES,
    STAKE,
    Registering,
    commitment,
    identity,
    registry_of,
    slashing,
)
from chain_rpc import Served, refused, served
from chain_world import until
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from logos.network.v1 import registry_pb2 as pb
from logos_base.errors import LogosError
from logos_chain.config import Config
from logos_chain.core.registry.errors import KeeperKeyError
from logos_chain.core.registry.payouts import BURNED, payout
from logos_chain.operations.registry import keeping
from logos_chain.operations.registry.members import RegistryOperations
from logos_chain.store.keeper_key import read_keeper_key
from logos_mantle.octets import ZERO
from logos_mantle.operations import encode_operation

KEY = Ed25519PrivateKey.from_private_bytes(named("keeper"))
PUBLIC = KEY.public_key().public_bytes_raw()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "keeper.key"
    path.touch(mode=0o600)
    path.write_text(KEY.private_bytes_raw().hex() + "\n")
    return path


@pytest.fixture
async def node(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(RegistryOperations.__init__, "__kwdefaults__", {"wait_s": 0.05})
    monkeypatch.setattr(
        keeping.Keeper.__init__, "__kwdefaults__", {"again_s": 600.0, "retry_s": 0.05}
    )
    config = Config(
        Path("unused"),
        lead=False,
        rln_registry=True,
        rln_limit=LIMIT,
        rln_stake=STAKE + 1,
        rln_keeper=PUBLIC,
        rln_keeper_key=key_file,
    )
    async with served(config=config) as found:
        await until(lambda: reader(found).is_read)
        yield found


def reader(node: Served) -> Any:
    assert node.rooms.registry is not None
    return node.rooms.registry.reader


async def final(node: Served, name: str) -> None:
    await node.include(name)
    for each in range(2):
        await node.extend(f"{name} {each}")
    await until(lambda: reader(node)._registry.height >= node.rooms.follow.latest_immutable.height)


async def slashed(node: Served) -> None:
    for each in (0, 1):
        request = pb.RegisterMemberRequest(commitment=commitment(each), limit=LIMIT)
        await refused(node.registry.RegisterMember(request))
        await until(lambda: node.rooms.mempool.count)
        await final(node, f"registered {each}")
    await node.registry.ReportSlash(pb.ReportSlashRequest(secret=identity(0).secret()))
    await final(node, "slashed")


async def test_a_reporter_gets_half_of_a_stake_and_the_rest_is_burned(node: Served) -> None:
    await slashed(node)
    await until(lambda: node.rooms.mempool.count == 1)
    [owed] = reader(node).registry.owed()
    before = node.rooms.wallet.balances()
    notes = set(node.rooms.wallet.notes())
    await final(node, "paid")

    found = node.rooms.wallet.notes()
    [reward] = [
        one
        for key, one in found.items()
        if key not in notes and one.note.public_key == owed.removal.reporter
    ]
    assert (reward.note.value, reward.channel) == ((STAKE + 1) // 2, None)
    assert node.rooms.wallet.balances().in_channels == before.in_channels - (STAKE + 1)
    burned = await node.rooms.follow.at_tip(
        lambda ledger: [
            one.note.value
            for _, one in ledger.state.notes.items()
            if one.note.public_key == BURNED and one.channel is None
        ]
    )
    assert burned.value == [STAKE + 1 - (STAKE + 1) // 2]
    assert reader(node).registry.owed() == []
    assert [each.removal is None for each in reader(node).registry.members] == [False, True]
    await node.extend("after")
    assert node.rooms.mempool.count == 0


async def test_a_payout_that_fails_is_made_again(
    node: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert node.rooms.registry is not None
    keeper: Any = node.rooms.registry.keeper
    fails, submit = [LogosError("no room")], keeper._submit

    async def failing(raw: bytes) -> bytes:
        if fails:
            raise fails.pop()
        return bytes(await submit(raw))

    monkeypatch.setattr(keeper, "_submit", failing)
    await slashed(node)
    await until(lambda: node.rooms.mempool.count == 1)
    await final(node, "paid")
    assert reader(node).registry.owed() == []


@pytest.mark.property
@given(st.integers(1, 2**63))
def test_all_of_a_stake_is_paid_or_burned(value: int) -> None:
    rules = replace(RULES, stake=1)
    member = registry_of((BEGIN,), rules=RULES)
    assert member.owed() == []
    told = Registering(1, value=max(value, STAKE)).transaction
    [owed] = registry_of((BEGIN, told), (slashing(1, BOB),), rules=RULES).owed()
    small = replace(owed, stake=owed.stake._replace(value=value))

    transfer, withdraw = payout(small, rules.channel)

    assert sum(each.value for each in transfer.outputs) == value
    assert all(each.value for each in transfer.outputs)
    assert transfer.outputs[-1].public_key == ZERO
    assert [each.public_key for each in transfer.outputs[:-1]] == [BOB] * (value > 1)
    assert len(withdraw.inputs) == len(transfer.outputs)
    assert encode_operation(transfer)


def test_the_stake_of_a_member_is_not_divided() -> None:
    [member] = registry_of((BEGIN, Registering(1).transaction)).members
    with pytest.raises(ValueError, match="slashed"):
        payout(member, RULES.channel)


def test_a_key_is_read_and_is_that_of_the_rules(key_file: Path) -> None:
    assert read_keeper_key(key_file, PUBLIC).private_bytes_raw() == KEY.private_bytes_raw()
    for public in (None, named("other")):
        with pytest.raises(KeeperKeyError, match="rln_keeper"):
            read_keeper_key(key_file, public)
    with pytest.raises(KeeperKeyError, match="cannot be read"):
        read_keeper_key(key_file.with_name("none"), PUBLIC)
    key_file.chmod(0o644)
    with pytest.raises(KeeperKeyError, match="chmod"):
        read_keeper_key(key_file, PUBLIC)
    key_file.chmod(0o600)
    key_file.write_text("no key")
    with pytest.raises(KeeperKeyError, match="64 hexadecimal"):
        read_keeper_key(key_file, PUBLIC)
