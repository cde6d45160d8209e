"""Reads transactions and operations of the reference's JSON (HTP-6).

What it makes has an encoding or raises `ValueUnencodableError` when it is encoded: field values at
or above the modulus, too many of something.
"""

from collections.abc import Callable
from typing import Any, Final

from logos_chain.http.errors import RequestInvalidError
from logos_chain.http.given_proofs import to_groth16, to_proof
from logos_chain.http.reading import fields, hexadecimal, identifier, items, number, octets
from logos_chain.http.written import BLEND_NETWORK
from logos_mantle.channels import (
    ChannelConfig,
    ChannelDeposit,
    ChannelInscribe,
    ChannelTransfer,
    ChannelWithdraw,
)
from logos_mantle.errors import LocatorMalformedError
from logos_mantle.limits import (
    MAX_CHANNEL_KEYS,
    MAX_LOCATORS,
    MAX_METADATA_BYTES,
    MAX_OPERATIONS,
)
from logos_mantle.locator_text import locator_of
from logos_mantle.notes import MAX_INPUTS, MAX_OUTPUTS, Note
from logos_mantle.opcodes import Opcode
from logos_mantle.operations import Operation
from logos_mantle.services import Activity, SdpActive, SdpDeclare, SdpWithdraw, Service
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import LeaderClaim, Transfer

_U16: Final = (1 << 16) - 1
_U32: Final = (1 << 32) - 1


def to_signed(value: Any) -> SignedTransaction:
    """Reads a signed transaction; raises `RequestInvalidError`."""
    found = fields(value, "body", ("mantle_tx", "ops_proofs"))
    transaction = to_transaction(found["mantle_tx"], "mantle_tx")
    proofs = items(found["ops_proofs"], "ops_proofs", MAX_OPERATIONS)
    if len(proofs) != len(transaction.operations):
        raise RequestInvalidError("there is one for each operation", field="ops_proofs")
    pairs = zip(transaction.operations, proofs, strict=True)
    return SignedTransaction(
        transaction,
        tuple([to_proof(one, each, f"ops_proofs[{at}]") for at, (one, each) in enumerate(pairs)]),
    )


def to_transaction(value: Any, name: str) -> Transaction:
    """Reads an unsigned transaction, with or without its hash; raises `RequestInvalidError`."""
    found = fields(value, name, ("ops",), ("hash",))
    operations = items(found["ops"], f"{name}.ops", MAX_OPERATIONS)
    made = Transaction(
        tuple([to_operation(each, f"{name}.ops[{at}]") for at, each in enumerate(operations)])
    )
    if "hash" in found and identifier(found["hash"], f"{name}.hash") != made.hash:
        raise RequestInvalidError("it is the hash of another transaction", field=f"{name}.hash")
    return made


def to_operation(value: Any, name: str) -> Operation:
    """Reads an operation; raises `RequestInvalidError`."""
    found = fields(value, name, ("opcode", "payload"))
    opcode = number(found["opcode"], f"{name}.opcode", 255)
    if opcode not in _READERS:
        raise RequestInvalidError("there is no such operation", field=f"{name}.opcode")
    return _READERS[opcode](found["payload"], f"{name}.payload")


def to_deposit(value: Any, name: str) -> ChannelDeposit:
    """Reads a deposit; raises `RequestInvalidError`."""
    found = fields(value, name, ("channel_id", "inputs", "metadata"))
    return ChannelDeposit(
        identifier(found["channel_id"], f"{name}.channel_id"),
        _inputs(found["inputs"], f"{name}.inputs"),
        octets(found["metadata"], f"{name}.metadata", MAX_METADATA_BYTES),
    )


def to_transfer(value: Any, name: str) -> Transfer:
    """Reads a transfer; raises `RequestInvalidError`."""
    found = fields(value, name, ("inputs", "outputs"))
    return Transfer(
        _inputs(found["inputs"], f"{name}.inputs"), _outputs(found["outputs"], f"{name}.outputs")
    )


# -- operations --------------------------------------------------------------------------------


def _inputs(value: Any, name: str) -> tuple[bytes, ...]:
    return tuple([identifier(each, name) for each in items(value, name, MAX_INPUTS)])


def _outputs(value: Any, name: str) -> tuple[Note, ...]:
    notes = []
    for each in items(value, name, MAX_OUTPUTS):
        found = fields(each, name, ("value", "pk"))
        notes.append(Note(number(found["value"], name), identifier(found["pk"], name)))
    return tuple(notes)


def _config(value: Any, name: str) -> ChannelConfig:
    names = (
        "channel",
        "keys",
        "posting_timeframe",
        "posting_timeout",
        "configuration_threshold",
        "transfer_threshold",
    )
    found = fields(value, name, names)
    keys = items(found["keys"], f"{name}.keys", MAX_CHANNEL_KEYS)
    timeframe, timeout = (number(found[each], f"{name}.{each}", _U32) for each in names[2:4])
    configuration, transfer = (number(found[each], f"{name}.{each}", _U16) for each in names[4:])
    return ChannelConfig(
        channel=identifier(found["channel"], f"{name}.channel"),
        keys=tuple([identifier(each, f"{name}.keys") for each in keys]),
        posting_timeframe_slots=timeframe,
        posting_timeout_slots=timeout,
        configuration_threshold=configuration,
        transfer_threshold=transfer,
    )


def _inscribe(value: Any, name: str) -> ChannelInscribe:
    found = fields(value, name, ("channel_id", "inscription", "parent", "signer"))
    return ChannelInscribe(
        identifier(found["channel_id"], f"{name}.channel_id"),
        hexadecimal(found["inscription"], f"{name}.inscription"),
        identifier(found["parent"], f"{name}.parent"),
        identifier(found["signer"], f"{name}.signer"),
    )


def _withdraw(value: Any, name: str) -> ChannelWithdraw:
    found = fields(value, name, ("channel_id", "inputs"))
    channel = identifier(found["channel_id"], f"{name}.channel_id")
    return ChannelWithdraw(channel, _inputs(found["inputs"], f"{name}.inputs"))


def _channel_transfer(value: Any, name: str) -> ChannelTransfer:
    found = fields(value, name, ("channel_id", "inputs", "outputs"))
    return ChannelTransfer(
        identifier(found["channel_id"], f"{name}.channel_id"),
        _inputs(found["inputs"], f"{name}.inputs"),
        _outputs(found["outputs"], f"{name}.outputs"),
    )


def _claim(value: Any, name: str) -> LeaderClaim:
    found = fields(value, name, ("rewards_root", "voucher_nullifier", "pk"))
    return LeaderClaim(
        identifier(found["rewards_root"], f"{name}.rewards_root"),
        identifier(found["voucher_nullifier"], f"{name}.voucher_nullifier"),
        identifier(found["pk"], f"{name}.pk"),
    )


def _declare(value: Any, name: str) -> SdpDeclare:
    names = ("service_type", "locators", "provider_id", "zk_id", "service_note_id")
    found = fields(value, name, names)
    if found["service_type"] != BLEND_NETWORK:
        raise RequestInvalidError("there is no such service", field=f"{name}.service_type")
    locators = items(found["locators"], f"{name}.locators", MAX_LOCATORS)
    return SdpDeclare(
        service=Service.BLEND_NETWORK,
        locators=tuple([_locator(each, f"{name}.locators") for each in locators]),
        provider_id=identifier(found["provider_id"], f"{name}.provider_id"),
        zk_id=identifier(found["zk_id"], f"{name}.zk_id"),
        locked_note_id=identifier(found["service_note_id"], f"{name}.service_note_id"),
    )


def _locator(value: Any, name: str) -> bytes:
    if not isinstance(value, str):
        raise RequestInvalidError("a multiaddress is expected", field=name)
    try:
        return locator_of(value)
    except LocatorMalformedError as error:
        raise RequestInvalidError(str(error), field=name) from error


def _sdp_withdraw(value: Any, name: str) -> SdpWithdraw:
    found = fields(value, name, ("declaration_id", "nonce", "service_note_id"))
    return SdpWithdraw(
        identifier(found["declaration_id"], f"{name}.declaration_id"),
        number(found["nonce"], f"{name}.nonce"),
        identifier(found["service_note_id"], f"{name}.service_note_id"),
    )


def _sdp_active(value: Any, name: str) -> SdpActive:
    found = fields(value, name, ("declaration_id", "nonce", "metadata"))
    metadata = fields(found["metadata"], f"{name}.metadata", ("Blend",))
    return SdpActive(
        identifier(found["declaration_id"], f"{name}.declaration_id"),
        number(found["nonce"], f"{name}.nonce"),
        _activity(metadata["Blend"], f"{name}.metadata.Blend"),
    )


def _activity(value: Any, name: str) -> Activity:
    names = ("epoch", "signing_key", "proof_of_quota", "proof_of_selection")
    found = fields(value, name, names)
    quota = fields(found["proof_of_quota"], f"{name}.proof_of_quota", ("key_nullifier", "proof"))
    selection = fields(
        found["proof_of_selection"], f"{name}.proof_of_selection", ("selection_randomness",)
    )
    return Activity(
        epoch=number(found["epoch"], f"{name}.epoch", _U32),
        signing_key=identifier(found["signing_key"], f"{name}.signing_key"),
        key_nullifier=identifier(quota["key_nullifier"], f"{name}.key_nullifier"),
        quota_proof=to_groth16(quota["proof"], f"{name}.proof_of_quota.proof"),
        selection_randomness=identifier(selection["selection_randomness"], name),
    )


_READERS: Final[dict[int, Callable[[Any, str], Operation]]] = {
    Opcode.TRANSFER: to_transfer,
    Opcode.CHANNEL_CONFIG: _config,
    Opcode.CHANNEL_INSCRIBE: _inscribe,
    Opcode.CHANNEL_DEPOSIT: to_deposit,
    Opcode.CHANNEL_WITHDRAW: _withdraw,
    Opcode.CHANNEL_TRANSFER: _channel_transfer,
    Opcode.SDP_DECLARE: _declare,
    Opcode.SDP_WITHDRAW: _sdp_withdraw,
    Opcode.SDP_ACTIVE: _sdp_active,
    Opcode.LEADER_CLAIM: _claim,
}
