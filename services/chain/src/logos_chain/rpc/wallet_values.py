"""Between the wallet's messages and the core's values."""

from typing import Final

from logos.chain.v1 import transaction_pb2
from logos.chain.v1 import wallet_pb2 as pb
from logos_chain.core.mempool.types import Stage
from logos_chain.core.wallet.errors import OrderInvalidError
from logos_chain.core.wallet.holdings import VoucherState
from logos_chain.core.wallet.types import Draft, Entry, Order, OwnedNote, Recorded
from logos_chain.operations.wallets.purse import WalletStanding
from logos_chain.rpc import convert
from logos_mantle.errors import MalformedError
from logos_mantle.limits import MAX_BODY_BYTES
from logos_mantle.notes import Note
from logos_mantle.octets import SIGNATURE_BYTES, Reader, is_field
from logos_mantle.operations import Operation, read_operation
from logos_mantle.proofs import PROOF_OF, ThresholdProof
from logos_mantle.transfers import LeaderClaim, Transfer

__all__ = [
    "Recorded",
    "from_draft",
    "from_entry",
    "from_note",
    "from_standing",
    "from_voucher",
    "place_to_token",
    "to_key",
    "to_note",
    "to_operation",
    "to_order",
    "token_to_place",
]

_HEIGHT_DIGITS: Final = 16
_PLACE_DIGITS: Final = 8
_MAX_SIGNATURES: Final = MAX_BODY_BYTES // (SIGNATURE_BYTES + 2)
"""Of one transaction: more have no room in a block."""


def to_key(raw: bytes, field: str) -> bytes:
    """Returns a public key of 32 bytes; raises `IdInvalidError`, `OrderInvalidError`."""
    if not is_field(convert.identifier(raw, field)):
        raise OrderInvalidError("no public key", field=field)
    return raw


def to_note(wanted: transaction_pb2.Note) -> Note:
    """Reads an output of a payment; errors as `to_key`."""
    return Note(wanted.value, to_key(wanted.public_key, "outputs"))


def to_order(request: pb.PrepareTransactionRequest) -> Order:
    """Reads operations to pay for, each with the signatures that it gets.

    Raises:
        OrderInvalidError: One is none, or there are more signatures than a block has room for.
    """
    operations = [to_operation(each.raw) for each in request.operations]
    signatures = [
        each.signatures or 1
        for operation, each in zip(operations, request.operations, strict=True)
        if PROOF_OF[operation.opcode] is ThresholdProof
    ]
    if sum(signatures) > _MAX_SIGNATURES:
        raise OrderInvalidError(f"at most {_MAX_SIGNATURES} signatures", field="operations")
    return Order(operations=tuple(operations), signatures=tuple(signatures), tip=request.tip)


def to_operation(raw: bytes) -> Operation:
    """Reads an operation that a wallet may pay for; raises `OrderInvalidError`."""
    try:
        reader = Reader(raw, limit=len(raw))
        operation = read_operation(reader)
        reader.end()
    except MalformedError as error:
        raise OrderInvalidError(f"no operation: {error}", field="operations") from error
    if isinstance(operation, Transfer | LeaderClaim):
        raise OrderInvalidError("the wallet makes transfers and claims", field="operations")
    return operation


def from_standing(found: WalletStanding) -> pb.GetBalanceResponse:
    balances = found.balances
    return pb.GetBalanceResponse(
        confirmed=balances.confirmed,
        safe=balances.safe,
        final=balances.final,
        locked=balances.locked,
        in_channels=balances.in_channels,
        reserved=balances.reserved,
        pending=balances.pending,
        watched=balances.watched,
        available=balances.available,
        height=found.height,
        scan_target_height=found.scan_target_height,
    )


def from_note(
    identifier: bytes, owned: OwnedNote, *, is_reserved: bool
) -> pb.ListNotesResponse.OwnNote:
    return pb.ListNotesResponse.OwnNote(
        id=identifier,
        note=convert.from_note(owned.note),
        since_height=owned.since_height,
        is_reserved=is_reserved,
        is_watched=owned.is_watched,
        channel=owned.channel or b"",
        declaration=owned.declaration or b"",
    )


def from_entry(entry: Entry, stage: Stage, time_ms: int) -> pb.ListHistoryResponse.Entry:
    return pb.ListHistoryResponse.Entry(
        block=entry.block,
        height=entry.height,
        time=convert.at(time_ms),
        transaction=entry.transaction or b"",
        received=entry.received,
        spent=entry.spent,
        is_watched=entry.is_watched,
        stage=convert.from_stage(stage),
    )


def from_draft(draft: Draft) -> pb.ListHistoryResponse.Entry:
    """Returns a transaction that no block has, as the history will have it."""
    back = 0 if draft.change is None else draft.change.value
    paid = draft.transaction.operations[-1]
    outputs = paid.outputs if isinstance(paid, Transfer) else ()
    # A claim spends its own reward alone.
    all_in = sum(each.value for each in outputs) + draft.fee + draft.tip
    return pb.ListHistoryResponse.Entry(
        transaction=draft.hash,
        received=back,
        spent=all_in if draft.voucher is None else 0,
        stage=convert.from_stage(Stage.PENDING),
    )


def from_voucher(state: VoucherState) -> pb.ListVouchersResponse.Voucher:
    return pb.ListVouchersResponse.Voucher(
        number=state.voucher.number,
        commitment=state.voucher.commitment,
        is_claimable=state.is_claimable,
        is_claimed=state.is_claimed,
    )


def place_to_token(height: int, place: int) -> str:
    """Writes where a page of the history ends."""
    return f"{height:0{_HEIGHT_DIGITS}x}{place:0{_PLACE_DIGITS}x}"


def token_to_place(token: str) -> tuple[int, int]:
    """Reads a token of `place_to_token`; raises ValueError for anything else."""
    raw = bytes.fromhex(token)
    place = int(token[:_HEIGHT_DIGITS], 16), int(token[_HEIGHT_DIGITS:], 16)
    if len(raw) * 2 != _HEIGHT_DIGITS + _PLACE_DIGITS or place_to_token(*place) != token:
        raise ValueError("no place of a history")
    return place
