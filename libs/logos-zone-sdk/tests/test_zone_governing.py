"""ZON-28 to ZON-32: what a holder of a channel's key signs, and how signatures come together."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from logos_mantle.channels import (
    ChannelConfig,
    ChannelDeposit,
    ChannelTransfer,
    ChannelWithdraw,
)
from logos_mantle.notes import Note, note_id
from logos_mantle.operations import Operation, operation_id
from logos_mantle.transactions import Transaction
from logos_mantle.transfers import Transfer
from logos_zone_sdk.core.errors import (
    DraftForeignError,
    DraftMalformedError,
    NotAccreditedError,
)
from logos_zone_sdk.core.governing import (
    MAX_DRAFT_BYTES,
    Change,
    Draft,
    Withdrawal,
    change_of,
    operations_of,
)
from zone_chain import CHANNEL, key_of

KEYS = [Ed25519PrivateKey.from_private_bytes(bytes([each]) * 32) for each in (1, 2, 3)]
PUBLIC = tuple(each.public_key().public_bytes_raw() for each in KEYS)
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)
NOTES = (bytes([1]) * 32, bytes([2]) * 32)
PAID, REST = Note(300, bytes([3]) * 32), Note(700, bytes([4]) * 32)
PAYMENT = Transfer((bytes([5]) * 32,), (Note(1, bytes([6]) * 32),))
CONFIG = ChannelConfig(CHANNEL, PUBLIC, 5, 7, configuration_threshold=2, transfer_threshold=3)
RELEASE = Withdrawal(CHANNEL, NOTES)
PAY = Withdrawal(CHANNEL, NOTES, PAID, REST)
CHANGES: list[Change] = [CONFIG, RELEASE, PAY, replace(PAY, rest=None)]


def drafted(*operations: Operation, threshold: int = 2) -> Draft:
    return Draft(Transaction(operations), bytes(128), 7, threshold, PUBLIC)


def of(change: Change) -> Draft:
    return drafted(*operations_of(change), PAYMENT)


def test_an_output_is_made_of_the_notes_and_alone_is_released() -> None:
    """ZON-30."""
    made = ChannelTransfer(CHANNEL, NOTES, (PAID, REST))
    paid = note_id(operation_id(made), 0, PAID)

    assert operations_of(PAY) == (made, ChannelWithdraw(CHANNEL, (paid,)))
    assert operations_of(RELEASE) == (ChannelWithdraw(CHANNEL, NOTES),)


@pytest.mark.parametrize("change", CHANGES)
def test_a_draft_says_what_it_changes(change: Change) -> None:
    assert of(change).change == change


OTHERS: list[Change] = [
    replace(CONFIG, keys=PUBLIC[:2]),
    replace(CONFIG, keys=PUBLIC[::-1]),
    replace(CONFIG, posting_timeframe_slots=6),
    replace(CONFIG, posting_timeout_slots=6),
    replace(CONFIG, configuration_threshold=1),
    replace(CONFIG, transfer_threshold=1),
    replace(CONFIG, channel=key_of("other")),
    replace(RELEASE, notes=NOTES[:1]),
    replace(RELEASE, channel=key_of("other")),
    replace(PAY, output=replace(PAID, value=301)),
    replace(PAY, output=replace(PAID, public_key=bytes(32))),
    replace(PAY, rest=replace(REST, value=699)),
    replace(PAY, rest=replace(REST, public_key=bytes(32))),
    replace(PAY, rest=None),
    *CHANGES,
]


@pytest.mark.parametrize("asked", CHANGES)
def test_a_key_signs_nothing_but_what_was_asked(asked: Change) -> None:
    """ZON-31."""
    for other in OTHERS:
        if other != asked:
            with pytest.raises(DraftForeignError):
                of(other).signed(KEYS[0], asked)
    draft = of(asked)
    signed = draft.signed(KEYS[1], asked)
    KEYS[1].public_key().verify(signed.signatures[PUBLIC[1]], draft.transaction.hash)
    assert not draft.signatures


@pytest.mark.parametrize(
    "operations",
    [
        (),
        (CONFIG,),
        (PAYMENT,),
        (CONFIG, PAYMENT, PAYMENT),
        (CONFIG, ChannelDeposit(CHANNEL, NOTES, b"")),
        (PAYMENT, CONFIG),
        (CONFIG, CONFIG, PAYMENT),
        (CONFIG, ChannelWithdraw(CHANNEL, NOTES), PAYMENT),
        (*operations_of(PAY)[:1], PAYMENT),
        (*operations_of(PAY)[:1], ChannelWithdraw(CHANNEL, NOTES), PAYMENT),
        (*operations_of(PAY)[:1], replace(operations_of(PAY)[1], channel=NOTES[0]), PAYMENT),  # type: ignore[type-var]
        (ChannelTransfer(CHANNEL, NOTES, ()), ChannelWithdraw(CHANNEL, NOTES), PAYMENT),
        (ChannelTransfer(CHANNEL, NOTES, (PAID, REST, REST)), operations_of(PAY)[1], PAYMENT),
    ],
)
def test_what_does_more_or_less_than_one_change_is_no_draft(
    operations: tuple[Operation, ...],
) -> None:
    """ZON-28, ZON-31."""
    with pytest.raises(DraftMalformedError):
        change_of(Transaction(operations))
    with pytest.raises(DraftMalformedError):
        Draft.decode(drafted(*operations).encode())
    for asked in CHANGES:
        with pytest.raises(DraftForeignError):
            drafted(*operations).signed(KEYS[0], asked)


def test_only_keys_of_the_channel_sign() -> None:
    with pytest.raises(NotAccreditedError):
        of(CONFIG).signed(STRANGER, CONFIG)


def test_holders_who_are_apart_sign_copies_which_are_brought_together() -> None:
    """ZON-31, ZON-32."""
    file = of(PAY).encode()
    copies = [Draft.decode(file).signed(each, PAY).encode() for each in (KEYS[2], KEYS[0])]
    first, second = map(Draft.decode, copies)
    joined = first.joined(second)

    assert [each.missing for each in (Draft.decode(file), first, joined)] == [2, 1, 0]
    assert joined.signatures.keys() == {PUBLIC[0], PUBLIC[2]}
    assert joined.encode() == second.joined(first).encode()
    assert Draft.decode(joined.encode()) == joined
    assert joined.signed(KEYS[1], PAY).missing == 0


@pytest.mark.parametrize(
    "other",
    [
        of(replace(PAY, rest=None)),
        replace(of(PAY), transfer_proof=b"\1" * 128),
        replace(of(PAY), threshold=1),
        replace(of(PAY), keys=PUBLIC[::-1]),
        drafted(*operations_of(PAY), replace(PAYMENT, inputs=NOTES)),
    ],
)
def test_signatures_of_another_draft_are_not_brought_together(other: Draft) -> None:
    with pytest.raises(DraftForeignError):
        of(PAY).joined(other)


def test_the_file_of_a_draft_is_as_it_is_described() -> None:
    """ZON-32."""
    draft = of(CONFIG).signed(KEYS[2], CONFIG).signed(KEYS[0], CONFIG)
    raw = draft.transaction.encoded
    places = [place.to_bytes(2, "little") + draft.signatures[PUBLIC[place]] for place in (0, 2)]

    assert draft.encode() == b"".join(
        [
            b"\1",
            len(raw).to_bytes(4, "little"),
            raw,
            bytes(128),
            (7).to_bytes(8, "little"),
            (2).to_bytes(2, "little"),
            (3).to_bytes(2, "little"),
            *PUBLIC,
            (2).to_bytes(2, "little"),
            *places,
        ]
    )


SIGNED = of(PAY).signed(KEYS[0], PAY).signed(KEYS[2], PAY).encode()
ENTRY = 2 + 64


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\2" + SIGNED[1:],
        SIGNED[:-1],
        SIGNED + b"\0",
        SIGNED[: -2 * ENTRY] + SIGNED[-ENTRY:] + SIGNED[-2 * ENTRY : -ENTRY],  # in another order
        SIGNED[: -2 * ENTRY] + 2 * SIGNED[-ENTRY:],  # twice the same
        SIGNED[:-ENTRY] + b"\3\0" + SIGNED[-64:],  # of a key that there is not
        SIGNED[:-ENTRY] + b"\1\0" + SIGNED[-64:],  # of another key
        SIGNED[:-1] + bytes([SIGNED[-1] ^ 1]),
        bytes(MAX_DRAFT_BYTES + 1),
    ],
)
def test_files_that_are_no_drafts_are_refused(raw: bytes) -> None:
    """ZON-32."""
    with pytest.raises(DraftMalformedError):
        Draft.decode(raw)


@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_a_byte_that_was_changed_is_found_or_signs_nothing_else(at: int, by: int) -> None:
    """ZON-32: fee, threshold, the proof and a key that has not signed are no part of the hash."""
    raw = SIGNED[:at] + bytes([SIGNED[at] ^ by]) + SIGNED[at + 1 :]
    try:
        found = Draft.decode(raw)
    except DraftMalformedError:
        return
    assert found.encode() == raw
    assert found.hash == Draft.decode(SIGNED).hash
