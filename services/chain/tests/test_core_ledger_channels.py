"""Channels: messages, turns, thresholds, notes (LED-12 to LED-20)."""

from dataclasses import replace

import pytest
from chain_ledger import ALICE, BOB, CHANNEL, EPOCH_SLOTS, KEYS, Chain, named, notes_of, signed
from hypothesis import given
from hypothesis import strategies as st

from logos_chain.core.ledger.channels import GENESIS_CHANNEL, new_channel, turn_at
from logos_chain.core.ledger.errors import Refusal
from logos_chain.core.ledger.ledger import Applied
from logos_chain.core.ledger.obligations import Ed25519Obligation
from logos_mantle.channels import (
    ChannelConfig,
    ChannelDeposit,
    ChannelInscribe,
    ChannelTransfer,
    ChannelWithdraw,
    message_id,
)
from logos_mantle.notes import Note
from logos_mantle.octets import ZERO
from logos_mantle.transfers import Transfer


def inscription(
    parent: bytes = ZERO, signer: bytes = KEYS[0], text: bytes = b"hi"
) -> ChannelInscribe:
    return ChannelInscribe(CHANNEL, text, parent, signer)


def configuration(**changes: object) -> ChannelConfig:
    return replace(
        ChannelConfig(
            CHANNEL,
            KEYS[:3],
            posting_timeframe_slots=10,
            posting_timeout_slots=0,
            configuration_threshold=2,
            transfer_threshold=2,
        ),
        **changes,
    )


def deposited(chain: Chain) -> tuple[bytes, Note]:
    """Puts one of Alice's notes into the channel; returns its new id."""
    source = next(chain.funds)
    entry = chain.ledger.note(source)
    assert entry is not None
    operation = ChannelDeposit(CHANNEL, (source,), b"")
    chain.accept(operation)
    return notes_of(operation, [entry.note])[0], entry.note


@pytest.fixture
def chain() -> Chain:
    """With a channel of three keys that needs two of them."""
    made = Chain()
    made.accept(configuration(), signatures=[0])
    return made


class TestMessages:
    def test_first_message_makes_the_channel(self) -> None:
        chain, first = Chain(), inscription()
        transaction = chain.paid(first)

        result = chain.block(transaction)

        made = chain.ledger.channel(CHANNEL)
        assert made == replace(new_channel((KEYS[0],), 1), tip=message_id(first))
        assert isinstance(result, Applied)
        assert result.obligations[0] == Ed25519Obligation(KEYS[0], transaction.hash, bytes(64))

    def test_messages_follow_each_other(self) -> None:
        chain, first = Chain(), inscription()
        second = inscription(message_id(first))
        chain.accept(first, second)

        third = inscription(message_id(second))

        assert chain.refuse(inscription(message_id(first))) is Refusal.WRONG_CHANNEL_PARENT
        assert chain.refuse(first) is Refusal.WRONG_CHANNEL_PARENT
        assert chain.refuse(replace(third, signer=KEYS[1])) is Refusal.UNAUTHORIZED_SIGNER
        chain.accept(third)

    def test_first_message_has_no_parent(self) -> None:
        reason = Chain().refuse(inscription(named("parent")))

        assert reason is Refusal.WRONG_CHANNEL_PARENT

    def test_channel_of_the_genesis_takes_nothing(self) -> None:
        chain = Chain()
        tip = chain.ledger.channel(GENESIS_CHANNEL)
        assert tip is not None

        for operation in (
            ChannelInscribe(GENESIS_CHANNEL, b"", tip.tip, bytes(32)),
            configuration(channel=GENESIS_CHANNEL),
            ChannelDeposit(GENESIS_CHANNEL, (), b""),
            ChannelWithdraw(GENESIS_CHANNEL, ()),
            ChannelTransfer(GENESIS_CHANNEL, (), ()),
        ):
            assert chain.refuse(operation) is Refusal.RESERVED_CHANNEL
        assert chain.ledger.channel(GENESIS_CHANNEL) == tip


class TestTurns:
    def test_turns_go_round(self, chain: Chain) -> None:
        begins = chain.slot
        state = chain.ledger.channel(CHANNEL)
        assert state is not None

        turns = [turn_at(state, begins + each) for each in (0, 9, 10, 29, 30)]

        assert turns == [
            (0, begins),
            (0, begins),
            (1, begins + 10),
            (2, begins + 20),
            (0, begins + 30),
        ]

    def test_turn_without_an_end(self) -> None:
        state = new_channel(KEYS, 5)

        assert turn_at(state, 10**12) == (0, 5)

    def test_silence_passes_the_turn_on(self) -> None:
        state = replace(new_channel(KEYS, 5), posting_timeout_slots=7)

        assert turn_at(state, 11) == (0, 5)
        assert turn_at(state, 12) == (1, 12)
        assert turn_at(state, 5 + 7 * 6 + 3) == (2, 5 + 7 * 6)

    def test_only_the_one_whose_turn_it_is_may_write(self, chain: Chain) -> None:
        config = chain.ledger.channel(CHANNEL)
        assert config is not None
        early = inscription(config.tip, KEYS[1])
        assert chain.refuse(early) is Refusal.UNAUTHORIZED_SIGNER

        result = chain.block(chain.paid(early), slot=chain.slot + 10)

        assert isinstance(result, Applied)
        after = chain.ledger.channel(CHANNEL)
        assert after is not None
        assert (after.sequencer, after.sequencer_since_slot) == (1, config.tip_slot + 10)

    @given(
        slot=st.integers(0, 10**6),
        timeframe=st.integers(0, 100),
        timeout=st.integers(0, 100),
        keys=st.integers(1, 5),
        sequencer=st.integers(0, 4),
        since=st.integers(0, 50),
        tip=st.integers(0, 50),
    )
    def test_turn_is_of_a_key_and_began(
        self,
        *,
        slot: int,
        timeframe: int,
        timeout: int,
        keys: int,
        sequencer: int,
        since: int,
        tip: int,
    ) -> None:
        state = replace(
            new_channel(tuple(named(str(each)) for each in range(keys)), 0),
            posting_timeframe_slots=timeframe,
            posting_timeout_slots=timeout,
            tip_slot=tip,
            sequencer=sequencer % keys,
            sequencer_since_slot=min(since, tip),
        )

        index, begun = turn_at(state, tip + slot)

        assert 0 <= index < keys
        assert state.sequencer_since_slot <= begun <= tip + slot


class TestConfigurations:
    def test_needs_as_many_signatures_as_its_threshold_says(self, chain: Chain) -> None:
        other = configuration(posting_timeout_slots=5)

        assert chain.refuse(other, signatures=[1]) is Refusal.SIGNATURE_COUNT
        assert chain.refuse(other, signatures=[3]) is Refusal.SIGNATURE_COUNT
        result = chain.accept(other, signatures=[2])

        assert [each.key for each in result.obligations[:2]] == list(KEYS[:2])
        after = chain.ledger.channel(CHANNEL)
        assert after is not None
        assert after.tip == message_id(other)

    def test_signature_of_no_key_is_refused(self) -> None:
        chain = Chain()
        one = configuration(keys=KEYS[:1], configuration_threshold=1)
        two = configuration(keys=KEYS[:2], configuration_threshold=2)
        chain.accept(one, signatures=[0])
        chain.accept(two, signatures=[1])
        transaction = chain.paid(configuration(), signatures=[2])
        threshold = transaction.proofs[0]
        far = replace(
            threshold,
            signatures=tuple(replace(each, index=each.index + 1) for each in threshold.signatures),
        )

        result = chain.block(replace(transaction, proofs=(far, *transaction.proofs[1:])))

        assert result.reason is Refusal.UNAUTHORIZED_SIGNER

    def test_first_one_has_no_signatures(self) -> None:
        assert Chain().refuse(configuration(), signatures=[1]) is Refusal.SIGNATURE_COUNT

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"keys": ()}, Refusal.NO_CHANNEL_KEYS),
            ({"configuration_threshold": 0}, Refusal.INVALID_THRESHOLD),
            ({"configuration_threshold": 4}, Refusal.INVALID_THRESHOLD),
            ({"transfer_threshold": 0}, Refusal.INVALID_THRESHOLD),
        ],
    )
    def test_that_would_lock_a_channel_is_refused(
        self, changes: dict[str, object], reason: Refusal
    ) -> None:
        assert Chain().refuse(configuration(**changes), signatures=[0]) is reason

    def test_old_one_does_not_reset_the_lineage(self, chain: Chain) -> None:
        first = configuration()
        message = inscription(message_id(first))
        chain.accept(message)
        chain.accept(configuration(posting_timeout_slots=9), signatures=[2])

        again = chain.refuse(first, signatures=[2])

        assert again is Refusal.REPLAYED_CONFIGURATION
        chain.undo()
        chain.undo()
        chain.undo()
        chain.accept(first, signatures=[0])  # on a branch that has not had it


class TestNotes:
    def test_deposit_gives_notes_new_ids_and_another_owner(self, chain: Chain) -> None:
        identifier, note = deposited(chain)

        entry = chain.ledger.note(identifier)
        assert entry is not None
        assert (entry.note, entry.channel) == (note, CHANNEL)
        assert chain.ledger.supply.notes.in_channels == note.value

    def test_withdrawn_note_keeps_its_id(self, chain: Chain) -> None:
        identifier, note = deposited(chain)
        before = chain.ledger.note(identifier)

        result = chain.accept(ChannelWithdraw(CHANNEL, (identifier,)), signatures=[2])

        after = chain.ledger.note(identifier)
        assert before is not None
        assert after == replace(before, channel=None)
        assert len(result.obligations) == 3
        assert chain.ledger.supply.notes.in_channels == 0
        assert isinstance(chain.block(signed(Transfer((identifier,), ()))), Applied)
        assert note.public_key == ALICE

    def test_transfer_within_the_channel(self, chain: Chain) -> None:
        identifier, note = deposited(chain)
        outputs = (Note(1, BOB), Note(note.value - 1, BOB))
        operation = ChannelTransfer(CHANNEL, (identifier,), outputs)

        chain.accept(operation, signatures=[2])

        made = [chain.ledger.note(each) for each in notes_of(operation, outputs)]
        assert [each.channel for each in made if each] == [CHANNEL, CHANNEL]
        assert chain.ledger.supply.notes.in_channels == note.value

    def test_deposit_can_be_moved_on_in_its_own_transaction(self, chain: Chain) -> None:
        source = next(chain.funds)
        note = Note(1_000_000, ALICE)
        deposit = ChannelDeposit(CHANNEL, (source,), b"")
        move = ChannelTransfer(CHANNEL, tuple(notes_of(deposit, [note])), (note,))

        chain.accept(deposit, move, signatures=[2])

        assert chain.ledger.note(notes_of(move, [note])[0]) is not None

    def test_operations_on_notes_that_are_refused(self, chain: Chain) -> None:
        identifier, note = deposited(chain)
        free = next(chain.funds)
        other = configuration(channel=named("other"))
        chain.accept(other, signatures=[0])
        unknown = named("unknown")
        out = (note,)

        def reason(operation: object) -> Refusal:
            return chain.refuse(operation, signatures=[2])

        assert chain.refuse(Transfer((identifier,), ())) is Refusal.CHANNEL_NOTE
        assert chain.refuse(ChannelDeposit(CHANNEL, (identifier,), b"")) is Refusal.CHANNEL_NOTE
        assert chain.refuse(ChannelDeposit(unknown, (free,), b"")) is Refusal.UNKNOWN_CHANNEL
        assert chain.refuse(ChannelDeposit(CHANNEL, (), b"")) is Refusal.NO_INPUTS
        assert reason(ChannelWithdraw(CHANNEL, (free,))) is Refusal.NOT_CHANNEL_NOTE
        assert reason(ChannelWithdraw(other.channel, (identifier,))) is Refusal.NOT_CHANNEL_NOTE
        assert reason(ChannelWithdraw(unknown, (identifier,))) is Refusal.UNKNOWN_CHANNEL
        assert reason(ChannelTransfer(CHANNEL, (free,), out)) is Refusal.NOT_CHANNEL_NOTE
        assert reason(ChannelTransfer(unknown, (identifier,), out)) is Refusal.UNKNOWN_CHANNEL
        assert (
            reason(ChannelTransfer(CHANNEL, (identifier,), (Note(0, BOB),))) is Refusal.EMPTY_NOTE
        )
        less = (Note(note.value - 1, BOB),)
        assert reason(ChannelTransfer(CHANNEL, (identifier,), less)) is Refusal.UNBALANCED_CHANNEL

    def test_movement_needs_the_transfer_threshold(self, chain: Chain) -> None:
        identifier, note = deposited(chain)

        for operation in (
            ChannelWithdraw(CHANNEL, (identifier,)),
            ChannelTransfer(CHANNEL, (identifier,), (note,)),
        ):
            assert chain.refuse(operation, signatures=[1]) is Refusal.SIGNATURE_COUNT

    def test_channel_balance_beyond_64_bits_is_refused(self, chain: Chain) -> None:
        identifier, _ = deposited(chain)
        outputs = (Note((1 << 64) - 1, BOB),) * 2

        reason = chain.refuse(ChannelTransfer(CHANNEL, (identifier,), outputs), signatures=[2])

        assert reason is Refusal.AMOUNT_OVERFLOW
        assert chain.slot < EPOCH_SLOTS
