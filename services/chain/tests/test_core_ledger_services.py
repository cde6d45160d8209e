"""Declarations, activity, snapshots and rewards of the Blend network (LED-24 to LED-32)."""

from dataclasses import replace
from hashlib import blake2b

import pytest
from chain_ledger import (
    ALICE,
    EPOCH_SLOTS,
    PARAMETERS,
    Chain,
    activity,
    declaration,
    epoch_state,
    genesis,
    named,
    notes_of,
    outputs_of,
    signed,
)

from logos_chain.core.ledger.errors import Refusal
from logos_chain.core.ledger.ledger import Applied
from logos_chain.core.ledger.obligations import ActivityObligation, Ed25519Obligation
from logos_chain.core.ledger.services import activity_distance, activity_threshold
from logos_crypto.circuits import public_inputs
from logos_mantle.channels import ChannelConfig, ChannelDeposit
from logos_mantle.notes import Note, note_id
from logos_mantle.services import (
    Activity,
    SdpActive,
    SdpDeclare,
    SdpWithdraw,
    Service,
    reward_operation_id,
)
from logos_mantle.transfers import Transfer

INFLATING = 1_000_000
NAMES = ("a", "b", "c")


@pytest.fixture
def chain() -> Chain:
    """With three nodes declared in the genesis."""
    return Chain(genesis=genesis(declared=NAMES), stake=INFLATING)


def declared(chain: Chain, name: str) -> SdpDeclare:
    locked = outputs_of(chain.genesis.transfer)[NAMES.index(name)]
    return declaration(name, locked)


def withdrawal(message: SdpDeclare, nonce: int = 1) -> SdpWithdraw:
    return SdpWithdraw(message.declaration_id(), nonce, message.locked_note_id)


def near(epoch: int, name: str, parameters: object = PARAMETERS, most: int = 12) -> Activity:
    """An activity of an epoch near enough to the next one's nonce."""
    nonce = epoch_state(epoch + 1).nonce
    for number in range(10_000):
        found = activity(epoch, key_nullifier=named(f"{name} {number}"))
        if activity_distance(parameters, found, nonce) <= most:
            return found
    raise AssertionError("no token is near")


def shown(chain: Chain, name: str, nonce: int = 1, most: int = 12) -> SdpActive:
    epoch = chain.ledger.head.epoch - 1
    return SdpActive(declared(chain, name).declaration_id(), nonce, near(epoch, name, most=most))


class TestDeclaring:
    def test_locks_the_note(self) -> None:
        chain = Chain()
        locked = next(chain.funds)
        message = declaration("new", locked)
        transaction = chain.paid(message)

        result = chain.block(transaction)

        entry = chain.ledger.note(locked)
        kept = chain.ledger.declaration(message.declaration_id())
        assert entry is not None
        assert kept is not None
        assert entry.declaration == message.declaration_id()
        assert (kept.created_epoch, kept.nonce) == (0, 0)
        assert chain.ledger.supply.notes.locked == 1_000_000
        assert isinstance(result, Applied)
        hashed = int.from_bytes(transaction.transaction.hash_value, "little")
        keys = [int.from_bytes(each, "little") for each in (ALICE, message.zk_id)]
        public = public_inputs("signature2", {"public_keys": keys, "message": hashed})
        assert result.obligations[0].public == public
        assert result.obligations[1] == Ed25519Obligation(
            message.provider_id, transaction.hash, bytes(64)
        )

    def test_locked_note_cannot_be_spent(self, chain: Chain) -> None:
        locked = declared(chain, "a").locked_note_id
        keys = (named("key"),)
        config = ChannelConfig(named("channel"), keys, 0, 0, 1, 1)
        chain.accept(config, signatures=[0])

        assert chain.refuse(Transfer((locked,), ())) is Refusal.LOCKED_NOTE
        deposit = ChannelDeposit(named("channel"), (locked,), b"")
        assert chain.refuse(deposit) is Refusal.LOCKED_NOTE

    def test_refusals(self, chain: Chain) -> None:
        first, note = declared(chain, "a"), next(chain.funds)
        new = declaration("new", note)
        small = chain.paid()
        [change] = small.transaction.operations
        split = Transfer(change.inputs, (Note(999, ALICE),))
        chain.block(signed(split))
        config = ChannelConfig(named("channel"), (named("key"),), 0, 0, 1, 1)
        deposit = ChannelDeposit(named("channel"), (next(chain.funds),), b"")
        chain.accept(config, deposit, signatures=[0])
        owned = notes_of(deposit, [Note(1_000_000, ALICE)])[0]

        cases = [
            (replace(new, locators=()), Refusal.NO_LOCATORS),
            (first, Refusal.DUPLICATE_DECLARATION),
            (replace(new, provider_id=first.provider_id), Refusal.DUPLICATE_PROVIDER),
            (replace(new, zk_id=first.zk_id), Refusal.DUPLICATE_PROVIDER),
            (replace(new, locked_note_id=named("no")), Refusal.UNKNOWN_NOTE),
            (replace(new, locked_note_id=first.locked_note_id), Refusal.LOCKED_NOTE),
            (replace(new, locked_note_id=outputs_of(split)[0]), Refusal.STAKE_TOO_LOW),
            (replace(new, locked_note_id=owned), Refusal.CHANNEL_NOTE),
        ]
        for message, reason in cases:
            assert chain.refuse(message) is reason
        chain.accept(new)


class TestWithdrawing:
    def test_note_is_unlocked_two_epochs_later(self, chain: Chain) -> None:
        message = declared(chain, "a")
        chain.to_epoch(1)
        chain.accept(withdrawal(message))
        identifier, locked = message.declaration_id(), message.locked_note_id

        chain.to_epoch(2)
        kept = chain.ledger.declaration(identifier)
        assert kept is not None
        assert kept.withdrawn_epoch == 1
        assert chain.refuse(Transfer((locked,), ())) is Refusal.LOCKED_NOTE
        same = replace(message, locked_note_id=next(chain.funds))
        assert chain.refuse(same) is Refusal.DUPLICATE_DECLARATION

        chain.to_epoch(3)
        assert chain.ledger.declaration(identifier) is None
        chain.accept(same)  # its ids can be used again
        chain.accept(Transfer((locked,), ()))

    def test_refusals(self, chain: Chain) -> None:
        message, other = declared(chain, "a"), declared(chain, "b")
        right = withdrawal(message)

        unknown = replace(right, declaration_id=named("no"))
        assert chain.refuse(unknown) is Refusal.UNKNOWN_DECLARATION
        wrong = replace(right, locked_note_id=other.locked_note_id)
        assert chain.refuse(wrong) is Refusal.WRONG_LOCKED_NOTE
        none = replace(right, locked_note_id=named("no"))
        assert chain.refuse(none) is Refusal.UNKNOWN_NOTE
        assert chain.refuse(replace(right, nonce=0)) is Refusal.STALE_NONCE
        chain.accept(right)
        assert chain.refuse(withdrawal(message, 2)) is Refusal.ALREADY_WITHDRAWN


class TestSnapshots:
    def names(self, snapshot: tuple[object, ...]) -> set[bytes]:
        return {each.zk_id for each in snapshot}  # type: ignore[attr-defined]

    def test_genesis_serves_the_first_two_epochs(self, chain: Chain) -> None:
        everyone = {named(f"zk {each}") for each in NAMES}
        chain.accept(declaration("new", next(chain.funds)))
        later = everyone | {named("zk new")}

        seen = [self.names(chain.ledger.head.snapshots.present)]
        for epoch in (1, 2):
            chain.to_epoch(epoch)
            seen.append(self.names(chain.ledger.head.snapshots.present))

        assert seen == [everyone, everyone, later]

    def test_withdrawn_node_serves_one_epoch_more(self, chain: Chain) -> None:
        chain.to_epoch(1)
        chain.accept(withdrawal(declared(chain, "a")))

        served = []
        for epoch in (2, 3):
            chain.to_epoch(epoch)
            served.append(named("zk a") in self.names(chain.ledger.head.snapshots.present))

        assert served == [True, False]

    def test_inactive_node_is_left_out_until_it_is_active_again(self, chain: Chain) -> None:
        served = {}
        for epoch in range(1, 9):
            chain.to_epoch(epoch)
            names = self.names(chain.ledger.head.snapshots.present)
            served[epoch] = {each for each in "abc" if named(f"zk {each}") in names}
            if epoch in (1, 2, 3):
                chain.accept(shown(chain, "a", nonce=epoch))

        # b and c were created in epoch 0: out as epoch 3 ends, which epoch 5 sees. The last
        # activity of a is of epoch 2.
        assert served[4] == {"a", "b", "c"}
        assert served[5] == served[6] == {"a"}
        assert served[7] == served[8] == set()

    def test_skipped_epochs_see_the_registry_as_it_stayed(self, chain: Chain) -> None:
        chain.accept(declaration("new", next(chain.funds)))

        chain.to_epoch(2)

        snapshots = chain.ledger.head.snapshots
        assert named("zk new") not in self.names(snapshots.last)
        assert named("zk new") in self.names(snapshots.present)
        assert named("zk new") in self.names(snapshots.coming)


class TestActivity:
    def test_is_recorded_and_to_be_verified(self, chain: Chain) -> None:
        chain.to_epoch(1)
        operation = shown(chain, "b")

        result = chain.accept(operation)

        kept = chain.ledger.declaration(operation.declaration_id)
        assert kept is not None
        assert (kept.active_epoch, kept.nonce) == (0, 1)
        order = sorted(named(f"provider {each}") for each in NAMES)
        assert result.obligations[1] == ActivityObligation(
            operation.metadata, named("provider b"), order.index(named("provider b")), 3
        )

    def test_refusals(self, chain: Chain) -> None:
        identifier = declared(chain, "a").declaration_id()
        early = SdpActive(identifier, 1, near(0, "a"))
        assert chain.refuse(early) is Refusal.WRONG_ACTIVITY_EPOCH
        chain.to_epoch(1)
        new = declaration("new", next(chain.funds))
        chain.accept(new)
        right = shown(chain, "a")

        unknown = replace(right, declaration_id=named("no"))
        assert chain.refuse(unknown) is Refusal.UNKNOWN_DECLARATION
        assert chain.refuse(replace(right, nonce=0)) is Refusal.STALE_NONCE
        late = replace(right, metadata=near(1, "a"))
        assert chain.refuse(late) is Refusal.WRONG_ACTIVITY_EPOCH
        foreign = replace(right, declaration_id=new.declaration_id())
        assert chain.refuse(foreign) is Refusal.NOT_A_PROVIDER
        chain.accept(right)
        assert chain.refuse(replace(right, nonce=2)) is Refusal.DUPLICATE_ACTIVITY

    def test_far_token_is_refused(self, chain: Chain) -> None:
        chain.to_epoch(1)
        limit = activity_threshold(PARAMETERS, 3)
        nonce = epoch_state(1).nonce
        distances = {
            activity_distance(PARAMETERS, found, nonce): found
            for found in (activity(0, key_nullifier=named(str(at))) for at in range(20_000))
        }
        operation = shown(chain, "a")

        refused = chain.refuse(replace(operation, metadata=distances[limit]))

        assert refused is Refusal.TOO_FAR
        chain.accept(replace(operation, metadata=distances[limit - 1]))

    def test_distance_is_that_of_hashes_of_whole_bytes(self) -> None:
        token, nonce = activity(4), named("nonce")
        raw = token.key_nullifier + token.quota_proof + token.selection_randomness
        one, two = (blake2b(each, digest_size=3).digest() for each in (raw, nonce))

        distance = activity_distance(PARAMETERS, token, nonce)

        assert distance == sum((a ^ b).bit_count() for a, b in zip(one, two, strict=True))
        assert activity_threshold(PARAMETERS, 3) == 21 - 2 - 1
        assert activity_threshold(PARAMETERS, 32) == 21 - 6 - 1


class TestRewards:
    def test_active_nodes_share_and_the_closest_gets_two_parts(self, chain: Chain) -> None:
        chain.block()
        chain.block()
        income = chain.ledger.head.services
        assert income == 2 * 57
        chain.to_epoch(1)
        near_one, far_one = shown(chain, "a", most=5), shown(chain, "b")
        nonce = epoch_state(1).nonce
        assert activity_distance(PARAMETERS, far_one.metadata, nonce) > 5
        chain.accept(near_one)
        chain.accept(far_one)
        assert chain.ledger.head.services_due == income
        burned = chain.ledger.supply.burned

        chain.to_epoch(2)

        rewards = {named("zk a"): 2 * (income // 3), named("zk b"): income // 3}
        ordered = sorted(rewards, key=lambda each: int.from_bytes(each, "little"))
        identifier = reward_operation_id(Service.BLEND_NETWORK, 0)
        for index, zk_id in enumerate(ordered):
            note = Note(rewards[zk_id], zk_id)
            assert chain.ledger.note(note_id(identifier, index, note)) is not None
        assert chain.ledger.supply.burned - burned == income % 3

    def test_too_few_providers_earn_nothing(self) -> None:
        parameters = replace(PARAMETERS, min_providers=4)
        chain = Chain(parameters, genesis(declared=NAMES), INFLATING)
        chain.block()
        chain.to_epoch(1)
        chain.accept(shown(chain, "a"))
        burned = chain.ledger.supply.burned

        chain.to_epoch(2)

        assert chain.ledger.supply.burned - burned == 57

    def test_withdrawn_node_gets_its_last_reward_and_then_its_note(self, chain: Chain) -> None:
        chain.block()
        chain.accept(withdrawal(declared(chain, "a")))
        income = chain.ledger.head.services
        chain.to_epoch(1)
        chain.accept(shown(chain, "a", nonce=2))

        chain.to_epoch(2)

        note = Note(2 * (income // 2), named("zk a"))
        identifier = note_id(reward_operation_id(Service.BLEND_NETWORK, 0), 0, note)
        assert chain.ledger.note(identifier) is not None
        assert chain.ledger.declaration(declared(chain, "a").declaration_id()) is None

    def test_skipped_epoch_loses_its_income(self, chain: Chain) -> None:
        chain.block()
        burned = chain.ledger.supply.burned

        chain.to_epoch(2)

        assert chain.ledger.supply.burned - burned == 57
        assert chain.ledger.head.services_due == 0
        assert chain.slot == 2 * EPOCH_SLOTS
