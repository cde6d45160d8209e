"""WAL-22 to WAL-24: what is kept of a wallet has one form, and all else is refused."""

import pytest
from chain_ledger import genesis
from chain_wallet import PARAMETERS, PRICES, SEED, SHOP, WATCHED, Chain, Chance, payment, wallet
from hypothesis import given
from hypothesis import strategies as st

from logos_base.machine import Answer, Ticket
from logos_chain.core.ledger.ledger import Ledger
from logos_chain.core.ledger.parameters import LedgerParameters
from logos_chain.core.wallet.derivation import Account
from logos_chain.core.wallet.errors import (
    TooManyWatchedError,
    WalletOtherError,
    WalletStateDamagedError,
)
from logos_chain.core.wallet.records import (
    Fulfilled,
    Submission,
    decode_draft,
    decode_entry,
    encode_entry,
    encode_fulfilled,
    encode_submission,
)
from logos_chain.core.wallet.ring import MAX_WATCHED, KeyRing
from logos_chain.core.wallet.state import WalletState
from logos_chain.core.wallet.types import BlockChanges, Draft, Entry, Order
from logos_chain.core.wallet.wallet import Wallet
from logos_mantle.derivations import blake2b, public_key
from logos_mantle.notes import Note
from logos_mantle.proofs import null_proof
from logos_mantle.transactions import SignedTransaction

ENTRY = Entry(blake2b(b"block"), 7, 5, blake2b(b"transaction"), 3, 4, is_watched=True)


def grown() -> Wallet:
    """A wallet with notes of each kind, of which one block is not final."""
    made, chain = wallet(), Chain()
    voucher = made.issue_voucher().commitment
    notes = [Note(each, made.keys.receive_key()) for each in (5_000, 6_000)]
    made.applied(chain.block(payment("a", *notes, Note(9, WATCHED)), voucher=voucher), 0)
    made.applied(chain.block(ends_epoch=True), 0)
    made.finalised(chain.blocks[-1].block, 0)
    made.applied(chain.block(payment("b", Note(1, made.keys.receive_key()))), 0)
    return made


def test_a_state_is_that_of_the_last_final_block() -> None:
    raw = grown().snapshot()

    state = WalletState.decode(raw)
    restored = Wallet.restored(Account(SEED), Chance(), raw, parameters=PARAMETERS)

    assert [each.note.value for each in state.notes.values() if each.is_free] in (
        [5_000, 6_000],
        [6_000, 5_000],
    )
    assert state.watched == (WATCHED,)
    assert [each.place for each in state.vouchers] == [0]
    assert restored.final == (restored.tip, 2)
    assert restored.balances().confirmed == restored.balances().final == 11_000
    assert restored.snapshot() == raw
    assert "\\x" not in repr(restored)


def test_a_state_of_another_phrase_is_refused() -> None:
    with pytest.raises(WalletOtherError):
        Wallet.restored(Account(bytes(64)), Chance(), grown().snapshot())


@given(st.binary(max_size=64), st.integers(0, 300), st.integers(1, 255))
def test_other_bytes_are_no_state(raw: bytes, at: int, change: int) -> None:
    good = bytearray(STATE)
    good[at % len(good)] ^= change

    for each in (raw, bytes(good), STATE + raw + b"\0", STATE[:at]):
        with pytest.raises(WalletStateDamagedError):
            WalletState.decode(each)


STATE = grown().snapshot()


@given(st.binary(max_size=128))
def test_other_bytes_are_no_record(raw: bytes) -> None:
    for decode in (decode_entry, decode_draft):
        with pytest.raises(WalletStateDamagedError):
            decode(raw)


def test_entries_are_read_as_they_were_written() -> None:
    for entry in (ENTRY, Entry(ENTRY.block, 0, 0, None, 1 << 63, 0)):
        raw = encode_entry(entry)

        assert decode_entry(raw) == entry
        assert len(raw) <= 99


def test_submissions_are_read_as_they_were_written() -> None:
    made = grown()
    [answer] = made.prepare(Ticket(1), Order((Note(100, SHOP),)), PRICES, 0)
    assert isinstance(answer, Answer)
    draft = answer.value
    assert isinstance(draft, Draft)
    proofs = tuple(null_proof(each.opcode) for each in draft.transaction.operations)
    submission = Submission(
        draft, SignedTransaction(draft.transaction, proofs), b"name", ENTRY.block
    )

    assert decode_draft(encode_submission(submission)) == submission
    fulfilled = Fulfilled(b"name", ENTRY.block, draft.hash)
    assert decode_draft(encode_fulfilled(fulfilled)) == fulfilled


def test_a_genesis_is_a_block_for_a_wallet() -> None:
    """WAL-18, WAL-21: its notes are there, their origin is its transfer."""
    first = genesis((5_000, 6_000), ["a"])
    ledger = Ledger.from_genesis(LedgerParameters(min_stake=1000, min_providers=1), first)
    changes = BlockChanges.of_genesis(first, ledger.state.notes.items())
    key = first.transfer.outputs[0].public_key
    made = Wallet(None, Chance(), tip=first.block.header.parent, height=-1)
    made.keys.watch(key)

    made.applied(changes, 0)
    made.finalised(first.block.id, 0)

    assert made.final == (first.block.id, 0)
    assert made.balances().watched == 11_000
    assert Wallet.restored(None, Chance(), made.snapshot()).notes() == made.notes()


def test_watched_keys_are_bounded() -> None:
    ring = KeyRing()
    for each in range(MAX_WATCHED):
        ring.watch(public_key(each.to_bytes(32, "little")))
    ring.watch(public_key(bytes(32)))

    with pytest.raises(TooManyWatchedError):
        ring.watch(public_key((MAX_WATCHED).to_bytes(32, "little")))
