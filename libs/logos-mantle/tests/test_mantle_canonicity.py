"""Every value has one encoding, and any other bytes are refused with a reason (MAN-1, MAN-2)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import mantle_values as values
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_mantle.blocks import Block, Proposal
from logos_mantle.errors import MalformedError, TrailingBytesError, TruncatedError
from logos_mantle.headers import Header
from logos_mantle.opcodes import Opcode
from logos_mantle.operations import decode_payload, encode_operation
from logos_mantle.transactions import SignedTransaction, Transaction

pytestmark = pytest.mark.property

Decode = Callable[[bytes], Any]

FEWER = settings(max_examples=40)
"""For large values, which take long to make."""


def signed_anew(signed: SignedTransaction) -> SignedTransaction:
    """Without the bytes that it was read from: what it is encoded to is made of its parts."""
    return SignedTransaction(Transaction(signed.transaction.operations), signed.proofs)


def encode_block(block: Block) -> bytes:
    transactions = tuple([signed_anew(each) for each in block.transactions])
    return replace(block, transactions=transactions).encode()


KINDS: dict[str, tuple[Decode, Callable[[Any], bytes], st.SearchStrategy[Any]]] = {
    "transaction": (
        Transaction.decode,
        lambda each: Transaction(each.operations).encoded,
        values.transactions,
    ),
    "signed": (
        SignedTransaction.decode,
        lambda each: signed_anew(each).encoded,
        values.signed_transactions,
    ),
    "header": (Header.decode, lambda each: each.encoded, values.headers),
    "proposal": (Proposal.decode, Proposal.encode, values.proposals),
    "block": (Block.decode, encode_block, values.blocks),
}


def damage(raw: bytes, data: st.DataObject) -> bytes:
    """Changes, cuts, repeats or inserts somewhere."""
    at = data.draw(st.integers(0, len(raw)))
    end = min(len(raw), at + data.draw(st.integers(0, 40)))
    put = data.draw(
        st.sampled_from([b"", b"\0", b"\xff" * (end - at), raw[at:end] * 2]) | st.binary(max_size=4)
    )
    return raw[:at] + put + raw[end:]


def refused_or_canonical(decode: Decode, encode: Callable[[Any], bytes], raw: bytes) -> None:
    try:
        value = decode(raw)
    except MalformedError:
        return
    assert encode(value) == raw


@pytest.mark.parametrize("kind", KINDS)
@FEWER
@given(data=st.data())
def test_values_come_back(kind: str, data: st.DataObject) -> None:
    decode, encode, strategy = KINDS[kind]
    value = data.draw(strategy)

    assert decode(encode(value)) == value


@FEWER
@given(signed=values.signed_transactions)
def test_what_was_read_is_its_encoding(signed: SignedTransaction) -> None:
    read = SignedTransaction.decode(signed.encoded)

    assert read.encoded == signed_anew(read).encoded
    assert read.transaction.encoded == signed_anew(read).transaction.encoded
    assert read.hash == signed.hash
    changed = replace(read.transaction, operations=())
    assert changed.encoded == Transaction(()).encoded


@pytest.mark.parametrize("opcode", Opcode)
@given(data=st.data())
def test_operations_come_back(opcode: Opcode, data: st.DataObject) -> None:
    operation = data.draw(values.OPERATIONS[opcode])

    assert decode_payload(opcode, operation.payload()) == operation


@pytest.mark.parametrize("kind", KINDS)
@FEWER
@given(raw=st.binary(max_size=400))
def test_any_bytes_are_refused_or_canonical(kind: str, raw: bytes) -> None:
    decode, encode, _ = KINDS[kind]

    refused_or_canonical(decode, encode, raw)


@pytest.mark.parametrize("opcode", Opcode)
@given(raw=st.binary(max_size=300))
def test_any_payload_is_refused_or_canonical(opcode: Opcode, raw: bytes) -> None:
    refused_or_canonical(
        lambda each: decode_payload(opcode, each), lambda each: each.payload(), raw
    )


@pytest.mark.parametrize("kind", KINDS)
@FEWER
@given(data=st.data())
def test_damaged_bytes_are_refused_or_canonical(kind: str, data: st.DataObject) -> None:
    decode, encode, strategy = KINDS[kind]

    refused_or_canonical(decode, encode, damage(encode(data.draw(strategy)), data))


@pytest.mark.parametrize("opcode", Opcode)
@given(data=st.data())
def test_damaged_payloads_are_refused_or_canonical(opcode: Opcode, data: st.DataObject) -> None:
    raw = damage(data.draw(values.OPERATIONS[opcode]).payload(), data)

    refused_or_canonical(
        lambda each: decode_payload(opcode, each), lambda each: each.payload(), raw
    )


@pytest.mark.parametrize("kind", KINDS)
@FEWER
@given(data=st.data())
def test_no_encoding_begins_another(kind: str, data: st.DataObject) -> None:
    decode, encode, strategy = KINDS[kind]
    raw = encode(data.draw(strategy))
    cut = data.draw(st.integers(0, len(raw) - 1))

    with pytest.raises(TruncatedError):
        decode(raw[:cut])


@pytest.mark.parametrize("kind", ["transaction", "signed", "block"])
@FEWER
@given(data=st.data())
def test_nothing_may_follow(kind: str, data: st.DataObject) -> None:
    decode, encode, strategy = KINDS[kind]
    raw = encode(data.draw(strategy))

    with pytest.raises(TrailingBytesError):
        decode(raw + data.draw(st.binary(min_size=1, max_size=3)))


@given(first=values.operations, second=values.operations)
def test_other_operations_have_other_bytes(first: Any, second: Any) -> None:
    assert (first == second) == (encode_operation(first) == encode_operation(second))


@given(signed=values.signed_transactions, data=st.data())
def test_proofs_are_not_in_the_hash(signed: SignedTransaction, data: st.DataObject) -> None:
    other = data.draw(values.with_proofs(signed.transaction))

    assert other.hash == signed.hash
