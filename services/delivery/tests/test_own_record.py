"""DLC-38: the record of a node, over changes, restarts and refusals."""

import logging
from pathlib import Path
from typing import Any

import pytest

from logos_base.errors import NetworkUnavailableError
from logos_delivery.core.enr import record
from logos_delivery.core.enr.fields import Capability, addresses, read
from logos_delivery.core.enr.identity import RecordKey, peer_id_of
from logos_delivery.core.enr.shards import RelayShards
from logos_delivery.core.ports import NodeIdentity
from logos_delivery.operations.own_record import MARK, OwnRecord
from logos_delivery.store.applications import SqlApplications
from logos_delivery.store.opening import open_store

KEY = RecordKey(bytes(range(1, 33)))
PEER = peer_id_of(KEY.public_key)
ED25519 = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"


class Signing:
    """`Identity`: signs with a key, unless it refuses."""

    def __init__(self, peer: str = PEER) -> None:
        self.who = NodeIdentity(peer, (), ("/ip4/10.0.0.1/tcp/1",))
        self.refusal: str = ""
        self.signed = 0
        self.key = KEY

    async def identity(self) -> NodeIdentity:
        return self.who

    async def sign_node_record(self, content: bytes) -> bytes:
        if self.refusal:
            raise NetworkUnavailableError(self.refusal)
        self.signed += 1
        return self.key.sign(content)

    def moves(self, port: int) -> None:
        self.who = NodeIdentity(self.who.peer_id, (), (f"/ip4/10.0.0.1/tcp/{port}",))


class Notes:
    """Numbers in memory; may fail as a full disk does."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}
        self.fails_at = ""

    async def note(self, name: str, value: int) -> None:
        if name == self.fails_at:
            raise NetworkUnavailableError("the disk is full")
        self.kept[name] = value

    async def noted(self, name: str) -> int | None:
        return self.kept.get(name)


def own_record(signing: Signing, notes: Any, **options: Any) -> OwnRecord:
    settings: dict[str, Any] = {"cluster": 2, "capabilities": Capability.RELAY, **options}
    shards = settings.pop("shards", [5, 0])
    return OwnRecord(signing, notes, lambda: shards, lambda: 1_000, **settings)


def said(own: OwnRecord) -> record.Record:
    assert own.record is not None, own.why
    assert own.why == ""
    return own.record


async def test_a_node_says_where_it_is_and_what_it_does() -> None:
    own = own_record(Signing(), Notes())
    await own.look()

    found = said(own)
    fields = read(found)
    assert (found.peer_id, found.sequence) == (PEER, 1_000)
    assert addresses(fields) == ("/ip4/10.0.0.1/tcp/1",)
    assert fields.shards == RelayShards(2, (0, 5))
    assert fields.capabilities == Capability.RELAY


async def test_the_number_rises_with_each_change_and_only_then() -> None:
    signing, shards = Signing(), [1]
    own = own_record(signing, Notes(), shards=shards)
    await own.look()
    first = said(own)
    await own.look()
    assert own.record is first
    assert signing.signed == 1

    signing.moves(2)
    await own.look()
    second = said(own)
    shards.append(2)
    await own.look()

    assert addresses(read(second)) == ("/ip4/10.0.0.1/tcp/2",)
    assert first.sequence < second.sequence < said(own).sequence


async def test_a_restart_keeps_the_number_and_a_change_meanwhile_raises_it(tmp_path: Path) -> None:
    found = []
    for port in (1, 1, 2, 1):
        async with open_store(tmp_path / "delivery.db") as store:
            signing = Signing()
            signing.moves(port)
            own = own_record(signing, SqlApplications(store.database))
            await own.look()
            found.append(said(own))

    assert found[0] == found[1]
    numbers = [one.sequence for one in found[1:]]
    assert numbers == sorted(set(numbers))


async def test_a_crash_between_number_and_content_uses_no_number_twice() -> None:
    notes = Notes()
    own = own_record(Signing(), notes)
    notes.fails_at = MARK
    await own.look()
    assert own.record is None
    assert own.why == "the disk is full"

    notes.fails_at = ""
    again = own_record(Signing(), notes)
    await again.look()

    assert said(again).sequence == 1_001


async def test_a_network_module_that_does_not_sign_leaves_no_record(
    caplog: pytest.LogCaptureFixture,
) -> None:
    signing = Signing()
    signing.refusal = "the network module did not take Peering/SignNodeRecord: no"
    own = own_record(signing, Notes())
    with caplog.at_level(logging.WARNING):
        await own.look()
        await own.look()

    assert own.record is None
    assert own.why == signing.refusal
    assert len(caplog.records) == 1
    signing.refusal = ""
    await own.look()
    assert said(own).peer_id == PEER


async def test_a_record_that_cannot_be_renewed_is_kept_and_it_says_so() -> None:
    signing = Signing()
    own = own_record(signing, Notes())
    await own.look()
    signing.moves(2)
    signing.refusal = "no"
    await own.look()

    assert own.record is not None
    assert own.why == "no"


async def test_a_signature_of_another_key_is_not_told() -> None:
    signing = Signing()
    signing.key = RecordKey(bytes(range(2, 34)))
    own = own_record(signing, Notes())
    await own.look()

    assert own.record is None
    assert "not signed" in own.why


async def test_a_key_of_another_type_has_no_record() -> None:
    own = own_record(Signing(ED25519), Notes())
    await own.look()

    assert own.record is None
    assert "secp256k1" in own.why


async def test_a_record_of_the_settings_stands_in_its_place() -> None:
    given = record.build(KEY, 7, {})
    signing = Signing()
    own = own_record(signing, Notes(), given=given)
    await own.look()

    assert own.record is given
    assert own.why == ""
    assert not signing.signed
