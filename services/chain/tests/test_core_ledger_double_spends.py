"""The same note twice, in every way: acceptance 3 of the chain."""

import pytest
from chain_ledger import (
    ALICE,
    BOB,
    CHANNEL,
    KEYS,
    Chain,
    contents,
    declaration,
    field_of,
    notes_of,
    outputs_of,
    signed,
)

from logos_chain.core.ledger.errors import Refusal
from logos_chain.core.ledger.ledger import Applied, Refused
from logos_crypto.hashes import MODULUS
from logos_mantle.channels import ChannelConfig, ChannelDeposit
from logos_mantle.derivations import voucher_commitment, voucher_nullifier
from logos_mantle.errors import FieldNotCanonicalError
from logos_mantle.notes import Note
from logos_mantle.operations import decode_payload
from logos_mantle.transactions import SignedTransaction
from logos_mantle.transfers import LeaderClaim, Transfer


@pytest.fixture
def chain() -> Chain:
    return Chain()


def spends(chain: Chain) -> tuple[SignedTransaction, SignedTransaction]:
    """Two transactions that spend one note."""
    source = next(chain.funds)
    one, two = (signed(Transfer((source,), (Note(900_000, key),))) for key in (ALICE, BOB))
    return one, two


def test_in_one_operation(chain: Chain) -> None:
    source = next(chain.funds)

    result = chain.block(signed(Transfer((source, source), ())))

    assert result == Refused(Refusal.REPEATED_INPUT, 0, 0)


def test_in_two_operations_of_one_transaction(chain: Chain) -> None:
    source = next(chain.funds)

    result = chain.block(signed(Transfer((source,), ()), Transfer((source,), ())))

    assert result == Refused(Refusal.SPENT_NOTE, 0, 1)


def test_in_one_block(chain: Chain) -> None:
    assert chain.block(*spends(chain)) == Refused(Refusal.SPENT_NOTE, 1, 0)


def test_same_transaction_twice_in_one_block(chain: Chain) -> None:
    one, _ = spends(chain)

    assert chain.block(one, one) == Refused(Refusal.SPENT_NOTE, 1, 0)


def test_in_two_blocks_of_one_branch(chain: Chain) -> None:
    one, two = spends(chain)
    assert isinstance(chain.block(one), Applied)

    assert chain.block(two) == Refused(Refusal.SPENT_NOTE, 0, 0)
    assert chain.block(one) == Refused(Refusal.SPENT_NOTE, 0, 0)
    chain.ledger.settle(chain.applied[-1].delta)
    assert chain.block(two) == Refused(Refusal.UNKNOWN_NOTE, 0, 0)


def test_across_branches_it_resolves_after_the_reorganisation(chain: Chain) -> None:
    one, two = spends(chain)
    start = contents(chain.ledger)
    assert isinstance(chain.block(one), Applied)
    left = chain.applied[-1]
    on_left = contents(chain.ledger)

    chain.undo()
    assert contents(chain.ledger) == start
    assert isinstance(chain.block(two), Applied)
    assert chain.block(one) == Refused(Refusal.SPENT_NOTE, 0, 0)

    chain.undo()
    chain.ledger.redo(left.delta)
    assert contents(chain.ledger) == on_left
    [made] = outputs_of(two.transaction.operations[0])
    assert chain.ledger.note(made) is None


def test_locked_and_channel_notes(chain: Chain) -> None:
    locked, owned = next(chain.funds), next(chain.funds)
    deposit = ChannelDeposit(CHANNEL, (owned,), b"")
    config = ChannelConfig(CHANNEL, KEYS[:1], 0, 0, 1, 1)
    chain.accept(declaration("new", locked), config, deposit, signatures=[0])
    [made] = notes_of(deposit, [Note(1_000_000, ALICE)])

    assert chain.refuse(Transfer((locked,), ())) is Refusal.LOCKED_NOTE
    assert chain.refuse(Transfer((made,), ())) is Refusal.CHANNEL_NOTE
    assert chain.refuse(Transfer((owned,), ())) is Refusal.SPENT_NOTE


def test_note_and_nullifier_with_the_modulus_added_do_not_decode(chain: Chain) -> None:
    small = field_of(7)
    large = (7 + MODULUS).to_bytes(32, "little")
    claim = LeaderClaim(small, small, small).payload()

    with pytest.raises(FieldNotCanonicalError):
        decode_payload(0x30, claim.replace(small, large, 2))
    with pytest.raises(FieldNotCanonicalError):
        decode_payload(0x00, b"\x01" + large + b"\x00")
    assert chain.ledger.supply.is_conserved


def test_voucher_in_one_block_and_across_branches() -> None:
    chain = Chain(stake=1_000_000)
    secret = field_of(5)
    chain.block(voucher=voucher_commitment(secret))
    chain.to_epoch(1)
    root, nullifier = chain.ledger.head.voucher_root, voucher_nullifier(secret)
    one, two = (chain.paid(LeaderClaim(root, nullifier, key)) for key in (ALICE, BOB))

    assert chain.block(one, two) == Refused(Refusal.DUPLICATE_NULLIFIER, 1, 0)
    assert isinstance(chain.block(one), Applied)
    assert chain.block(two) == Refused(Refusal.DUPLICATE_NULLIFIER, 0, 0)
    chain.undo()
    assert isinstance(chain.block(two), Applied)


def test_only_the_last_block_can_be_undone_and_only_the_next_one_done(chain: Chain) -> None:
    chain.block(chain.paid())
    chain.block(chain.paid())
    first, second = (each.delta for each in chain.applied)

    with pytest.raises(ValueError, match="last block"):
        chain.ledger.undo(first)
    with pytest.raises(ValueError, match="follows"):
        chain.ledger.redo(second)
    chain.ledger.undo(second)
    chain.ledger.redo(second)
    assert contents(chain.ledger) == contents(chain.replayed())


def test_block_that_follows_an_undone_one_may_have_its_slot(chain: Chain) -> None:
    chain.block(chain.paid(), slot=4)
    chain.undo()

    assert isinstance(chain.block(slot=4), Applied)
