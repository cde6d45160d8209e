"""What requests say of who pays, and how much at most (HTP-17, HTP-18)."""

from typing import Any, Final

from starlette.requests import Request

from logos_chain.core.wallet.types import Order
from logos_chain.http.errors import NotServedError, RequestInvalidError
from logos_chain.http.given import to_transaction, to_transfer
from logos_chain.http.given_proofs import to_threshold
from logos_chain.http.reading import fields, identifier, items, number
from logos_mantle.limits import MAX_OPERATIONS
from logos_mantle.notes import Note
from logos_mantle.operations import Operation
from logos_mantle.proofs import PROOF_OF, ThresholdProof
from logos_mantle.transfers import LeaderClaim, Transfer

PAYING: Final = ("change_public_key", "funding_public_keys")
MAX_PAYERS: Final = 1_024
MAX_INPUTS: Final = 255
NAME: Final = "idempotency-key"
"""The header with the name of an order (WAL-25)."""

_BUILDER: Final = ("mantle_tx", "ledger_inputs", "pending_transfer", "channel_multi_sig_proofs")


def named_of(request: Request) -> bytes:
    """Returns the name that a request gives its order; empty: none."""
    return request.headers.get(NAME, "").encode("latin-1")


def paid_by(found: dict[str, Any], **order: Any) -> Order:
    """Makes an order of what the fields of `PAYING` and `tip` say; raises `RequestInvalidError`.

    Args:
        found: Of a body.
        order: The other fields of the order.
    """
    tip = found.get("tip")
    if tip is not None:
        identifier(tip, "tip")  # the wallet goes by its own tip
    payers = items(found["funding_public_keys"], "funding_public_keys", MAX_PAYERS)
    return Order(
        payers=frozenset([identifier(each, "funding_public_keys") for each in payers]),
        change_key=identifier(found["change_public_key"], "change_public_key"),
        **order,
    )


def to_transfer_order(value: Any) -> Order:
    """Reads the body of `transfer-funds`; raises `RequestInvalidError`."""
    found = fields(value, "body", (*PAYING, "recipient_public_key", "amount"), ("tip",))
    recipient = identifier(found["recipient_public_key"], "recipient_public_key")
    return paid_by(found, outputs=(Note(number(found["amount"], "amount", least=1), recipient),))


def to_fund_order(value: Any) -> Order:
    """Reads the body of `/wallet/fund`; raises `RequestInvalidError`, `NotServedError`."""
    optional = ("tip", "priority_fee_percent")
    found = fields(value, "body", (*PAYING, "tx_builder", "max_tx_fee"), optional)
    if found.get("priority_fee_percent") is not None:
        number(found["priority_fee_percent"], "priority_fee_percent")
    builder = fields(found["tx_builder"], "tx_builder", _BUILDER)
    operations = to_transaction(builder["mantle_tx"], "mantle_tx").operations
    if any(isinstance(each, Transfer | LeaderClaim) for each in operations):
        raise NotServedError("the wallet adds a transfer to operations that others sign")
    pending = to_transfer(builder["pending_transfer"], "pending_transfer")
    if items(builder["ledger_inputs"], "ledger_inputs", MAX_INPUTS) or pending.inputs:
        raise NotServedError("the wallet chooses the notes that it pays with")
    return paid_by(
        found,
        operations=operations,
        outputs=pending.outputs,
        signatures=_signatures(operations, builder["channel_multi_sig_proofs"]),
        max_paid=number(found["max_tx_fee"], "max_tx_fee"),
    )


def _signatures(operations: tuple[Operation, ...], value: Any) -> tuple[int, ...]:
    """Returns how many signatures each operation with a threshold gets, in turn."""
    name = "channel_multi_sig_proofs"
    places = [str(at) for at, each in enumerate(operations) if _has_threshold(each)]
    if not isinstance(value, dict) or len(value) > MAX_OPERATIONS:
        raise RequestInvalidError("an object is expected", field=name)
    if not value.keys() <= set(places):
        raise RequestInvalidError("a place has no operation of a channel's keys", field=name)
    return tuple(
        [len(to_threshold(value[e], name).signatures) if e in value else 1 for e in places]
    )


def _has_threshold(operation: Operation) -> bool:
    return PROOF_OF[operation.opcode] is ThresholdProof
