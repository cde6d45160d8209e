"""Notes, transfers, fees, and what is to be verified (LED-6 to LED-11)."""

import pytest
from chain_ledger import (
    ALICE,
    BOB,
    Chain,
    contents,
    epoch_state,
    genesis,
    named,
    notes_of,
    outputs_of,
    pay,
    signed,
)

from logos_chain.core.ledger.errors import GenesisInvalidError, Refusal, SupplyBrokenError
from logos_chain.core.ledger.execution import TransactionRefusedError, execute
from logos_chain.core.ledger.ledger import Admitted, Applied, Ledger, Refused
from logos_chain.core.ledger.obligations import CircuitObligation
from logos_chain.core.ledger.parameters import LedgerParameters
from logos_crypto.circuits import public_inputs
from logos_crypto.trees import LedgerTree
from logos_mantle.channels import ChannelInscribe
from logos_mantle.derivations import PADDING_KEY
from logos_mantle.notes import Note
from logos_mantle.prices import MAX_EXECUTION_GAS
from logos_mantle.proofs import InscriptionProof
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import Transfer


def test_genesis_has_its_notes_in_the_first_slots() -> None:
    chain = Chain()
    ids = outputs_of(chain.genesis.transfer)
    tree = LedgerTree()
    tree.update(inserted=ids)

    entries = [chain.ledger.note(each) for each in ids]

    assert [each.slot for each in entries if each] == list(range(24))
    assert chain.ledger.root == tree.root
    assert chain.ledger.supply.notes.free == chain.ledger.supply.genesis == 24_000_000


def test_transfer_moves_value_and_burns_the_fee() -> None:
    chain = Chain()
    source = outputs_of(chain.genesis.transfer)[0]
    transaction = chain.paid()
    [transfer] = transaction.transaction.operations
    fee = 1_000_000 - transfer.outputs[0].value

    result = chain.block(transaction)

    assert isinstance(result, Applied)
    assert chain.ledger.note(source) is None
    [made] = outputs_of(transfer)
    entry = chain.ledger.note(made)
    assert entry is not None
    assert entry.slot == 0  # it is used again
    assert chain.ledger.supply.burned == fee
    assert chain.ledger.supply.is_conserved


def test_path_of_a_note_leads_to_the_root() -> None:
    chain = Chain()
    source = outputs_of(chain.genesis.transfer)[3]

    path = chain.ledger.note_path(source)

    assert path is not None
    assert LedgerTree.verify(source, path, chain.ledger.root)
    assert chain.ledger.note_path(named("other")) is None


def test_signature_of_few_and_of_many_keys_has_its_circuit() -> None:
    chain = Chain()
    ids = outputs_of(chain.genesis.transfer)
    few = signed(Transfer(tuple(ids[:2]), ()))
    many = signed(Transfer(tuple(ids[2:5]), ()))

    result = chain.block(few, many)

    assert isinstance(result, Applied)
    message = int.from_bytes(few.transaction.hash_value, "little")
    alice, padding = (int.from_bytes(each, "little") for each in (ALICE, PADDING_KEY))
    assert result.obligations[0] == CircuitObligation(
        "signature2",
        public_inputs("signature2", {"public_keys": [alice, alice], "message": message}),
        bytes(128),
    )
    keys = [alice] * 3 + [padding] * 29
    message = int.from_bytes(many.transaction.hash_value, "little")
    assert result.obligations[1] == CircuitObligation(
        "signature32",
        public_inputs("signature32", {"public_keys": keys, "message": message}),
        bytes(128),
    )


def test_transfers_that_are_refused() -> None:
    chain = Chain()
    note = outputs_of(chain.genesis.transfer)[7]

    assert chain.refuse(Transfer((), ())) is Refusal.NO_INPUTS
    assert chain.refuse(Transfer((note, note), ())) is Refusal.REPEATED_INPUT
    assert chain.refuse(Transfer((named("no"),), ())) is Refusal.UNKNOWN_NOTE
    assert chain.refuse(Transfer((note,), (Note(0, BOB),))) is Refusal.EMPTY_NOTE


def test_transfer_of_more_notes_than_a_signature_has_keys_is_refused() -> None:
    chain = Chain(genesis=genesis((1_000_000,) * 34))
    ids = outputs_of(chain.genesis.transfer)

    refused = chain.block(signed(Transfer(tuple(ids[:33]), ())))
    accepted = chain.block(signed(Transfer(tuple(ids[:32]), ())))

    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.TOO_MANY_INPUTS
    assert isinstance(accepted, Applied)


@pytest.mark.parametrize("missing", [0, 1])
def test_fee_must_be_left_to_the_last_token(missing: int) -> None:
    chain = Chain()
    source = outputs_of(chain.genesis.transfer)[0]

    result = chain.block(pay(chain.ledger, source, 1_000_000, tip=-missing))

    if missing:
        assert result == Refused(Refusal.FEE_TOO_LOW, 0, None)
    else:
        assert isinstance(result, Applied)


def test_transaction_without_operations_cannot_pay() -> None:
    assert Chain().block(signed()) == Refused(Refusal.FEE_TOO_LOW, 0, None)


def test_tip_goes_to_the_leaders_of_the_epoch() -> None:
    chain = Chain()
    source = outputs_of(chain.genesis.transfer)[0]

    [admitted] = chain.rehearse(pay(chain.ledger, source, 1_000_000, tip=77))
    chain.block(pay(chain.ledger, source, 1_000_000, tip=77))

    assert isinstance(admitted, Admitted)
    assert admitted.tip == 77
    burned = chain.ledger.supply.burned
    assert chain.ledger.head.leaders == 77 + burned * 4 // 10


def test_note_of_one_operation_can_be_spent_by_the_next() -> None:
    chain = Chain()
    source = outputs_of(chain.genesis.transfer)[0]
    first = Transfer((source,), (Note(1_000_000, BOB),))
    [between] = notes_of(first, first.outputs)
    second = Transfer((between,), (Note(900_000, ALICE),))

    result = chain.block(signed(first, second))

    assert isinstance(result, Applied)
    assert chain.ledger.note(between) is None


def test_refused_transaction_takes_the_block_with_it() -> None:
    chain = Chain()
    before = contents(chain.ledger)
    good, bad = chain.paid(), signed(Transfer((named("no"),), ()))

    assert chain.block(good, bad) == Refused(Refusal.UNKNOWN_NOTE, 1, 0)
    assert contents(chain.ledger) == before


def test_wrong_class_or_number_of_proofs_is_refused() -> None:
    transfer = Transfer((named("a"),), ())
    none = SignedTransaction(Transaction((transfer,)), ())
    other = SignedTransaction(Transaction((transfer,)), (InscriptionProof(bytes(64)),))

    for each in (none, other):
        assert Chain().block(each) == Refused(Refusal.PROOF_COUNT, 0, None)


def test_amounts_beyond_64_bits_are_refused() -> None:
    chain = Chain(genesis=genesis((1 << 62, 1)))
    source = outputs_of(chain.genesis.transfer)[0]
    largest = Note((1 << 64) - 1, BOB)
    made = Transfer((source,), (largest,) * 3)

    assert chain.block(signed(made)) == Refused(Refusal.FEE_TOO_LOW, 0, None)


def test_blocks_that_are_refused_as_a_whole() -> None:
    chain = Chain()
    empty = signed()

    assert chain.ledger.apply([], slot=1, epoch=epoch_state(0), voucher=bytes(32)) == Refused(
        Refusal.EMPTY_VOUCHER
    )
    assert chain.block(*[empty] * 1025) == Refused(Refusal.TOO_MANY_TRANSACTIONS)
    for slot, epoch in ((0, 0), (1, -1)):
        with pytest.raises(ValueError, match="not after"):
            chain.ledger.apply([], slot=slot, epoch=epoch_state(epoch), voucher=named("v"))


def test_block_has_a_limit_of_bytes() -> None:
    chain = Chain(genesis=genesis((1 << 40,) * 3))
    large = ChannelInscribe(named("c"), bytes(1_100_000), bytes(32), named("signer"))
    other = ChannelInscribe(named("d"), bytes(1_100_000), bytes(32), named("signer"))

    results = chain.rehearse(chain.paid(large), chain.paid(other), chain.paid())

    assert isinstance(results[0], Admitted)
    assert results[1] == Refused(Refusal.BODY_TOO_LARGE, 1, None)
    assert isinstance(results[2], Admitted)


@pytest.mark.parametrize("over", [0, 1])
def test_block_has_a_limit_of_gas(over: int) -> None:
    chain = Chain()
    context = chain.ledger._begin(1, epoch_state(0))
    context.gas = MAX_EXECUTION_GAS - 590 + over

    if over:
        with pytest.raises(TransactionRefusedError) as caught:
            execute(context, chain.paid())
        assert caught.value.reason is Refusal.TOO_MUCH_GAS
    else:
        assert len(execute(context, chain.paid())[0]) == 1


def test_genesis_that_breaks_a_rule_is_refused() -> None:
    with pytest.raises(GenesisInvalidError):
        Chain(genesis=genesis((999,), declared=("low",)))
    with pytest.raises(GenesisInvalidError):
        Chain(genesis=genesis((1 << 63,)))
    with pytest.raises(GenesisInvalidError):
        Chain(genesis=genesis(((1 << 64) - 1, 1)))


def test_damaged_state_is_seen() -> None:
    chain = Chain()
    state, head = chain.ledger._state, chain.ledger.head
    [first, *_] = outputs_of(chain.genesis.transfer)

    with pytest.raises(ValueError, match="another block"):
        Ledger(LedgerParameters(), type(state).empty(), head)
    state.notes._free = 1
    with pytest.raises(SupplyBrokenError):
        Ledger(LedgerParameters(), state, head)
    assert chain.ledger.note(first) is not None
