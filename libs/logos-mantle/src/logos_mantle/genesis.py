"""The genesis block: its form, and the parameters in it.

Spec: docs/protocol/mantle.md, MAN-31 and MAN-32. Source: LIP-90.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from logos_mantle import octets
from logos_mantle.blocks import Block, body_root
from logos_mantle.channels import ChannelInscribe
from logos_mantle.derivations import reduced
from logos_mantle.errors import (
    GenesisFormError,
    GenesisParametersError,
    MalformedError,
    ValueUnencodableError,
)
from logos_mantle.headers import Header, ProofOfLeadership
from logos_mantle.notes import Note
from logos_mantle.octets import (
    GROTH16_BYTES,
    HASH_BYTES,
    KEY_BYTES,
    SIGNATURE_BYTES,
    ZERO,
    Reader,
)
from logos_mantle.operations import Operation
from logos_mantle.proofs import null_proof
from logos_mantle.services import SdpDeclare
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import Transfer

MAX_CHAIN_ID_BYTES: Final = 255
_MAX_PARAMETERS_BYTES: Final = 1 + MAX_CHAIN_ID_BYTES + 4 + HASH_BYTES

_LEADERSHIP: Final = ProofOfLeadership(
    voucher=ZERO, entropy=ZERO, proof=bytes(GROTH16_BYTES), leader_key=bytes(KEY_BYTES)
)


@dataclass(frozen=True, slots=True)
class GenesisParameters:
    """What a chain begins with, apart from its notes and declarations (MAN-32)."""

    chain_id: str
    """At most 255 bytes of UTF-8."""
    genesis_time_s: int
    """Seconds since 1970 in UTC, 32 bits: the start of slot 0."""
    epoch_nonce: bytes
    """32 bytes; not necessarily a field value."""

    @property
    def epoch_nonce_value(self) -> bytes:
        """The nonce of epoch 0 modulo the field, 32 bytes, as the lottery takes it (MAN-32)."""
        return reduced(self.epoch_nonce)

    def encode(self) -> bytes:
        """Returns the inscription; raises `ValueUnencodableError`."""
        return (
            octets.sized(self.chain_id.encode(), 1, MAX_CHAIN_ID_BYTES, "chain_id")
            + octets.number(self.genesis_time_s, 4, "genesis_time_s")
            + octets.fixed(self.epoch_nonce, HASH_BYTES, "epoch_nonce")
        )

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Decodes an inscription. Untrusted; raises `GenesisParametersError`."""
        try:
            reader = Reader(raw, limit=_MAX_PARAMETERS_BYTES)
            chain_id = reader.take(reader.number(1)).decode()
            parameters = cls(chain_id, reader.number(4), reader.take(HASH_BYTES))
            reader.end()
        except (MalformedError, UnicodeDecodeError) as error:
            raise GenesisParametersError(f"no parameters of a genesis: {error}") from error
        return parameters


@dataclass(frozen=True, slots=True)
class Genesis:
    """The parts of a genesis block."""

    block: Block
    parameters: GenesisParameters
    transfer: Transfer
    """Makes the first notes; their ids are derived from it."""
    declarations: tuple[SdpDeclare, ...]


def genesis_block(
    parameters: GenesisParameters, outputs: Sequence[Note], declarations: Sequence[SdpDeclare]
) -> Block:
    """Makes a genesis block (MAN-31).

    Args:
        parameters: Of the chain.
        outputs: The first notes, 1 to 255. The id of note n is that of output n of
            `Transfer((), outputs)`, which declarations need.
        declarations: The first nodes of services, at most 253.

    Raises:
        ValueUnencodableError: A part has no encoding, there is no note, or one without a value.
    """
    if not outputs or not all(each.value for each in outputs):
        raise ValueUnencodableError("a genesis makes notes, all with values", field="outputs")
    inscription = ChannelInscribe(ZERO, parameters.encode(), ZERO, bytes(KEY_BYTES))
    operations: tuple[Operation, ...] = (Transfer((), tuple(outputs)), inscription, *declarations)
    proofs = tuple([null_proof(each.opcode) for each in operations])
    signed = SignedTransaction(Transaction(operations), proofs)
    header = Header(ZERO, 0, body_root((), [signed.hash]), _LEADERSHIP)
    return Block(header, bytes(SIGNATURE_BYTES), (), (signed,))


def read_genesis(block: Block) -> Genesis:
    """Reads a decoded block as a genesis block. Untrusted.

    Raises:
        GenesisFormError: It has another form (MAN-31).
        GenesisParametersError: Its inscription holds no parameters (MAN-32).
        BodyRootError: Its header commits to another body.
    """
    operations = _operations(block)
    match operations:
        case (Transfer(inputs=(), outputs=outputs) as transfer, ChannelInscribe() as first, *rest):
            declarations = tuple([each for each in rest if isinstance(each, SdpDeclare)])
        case _:
            raise GenesisFormError("a genesis begins with a transfer of no inputs, an inscription")
    if not outputs or not all(each.value for each in outputs):
        raise GenesisFormError("the first notes have values, and there is one")
    if len(declarations) < len(operations) - 2:
        raise GenesisFormError("only declarations follow the inscription of a genesis")
    if (first.channel, first.parent, first.signer) != (ZERO, ZERO, bytes(KEY_BYTES)):
        raise GenesisFormError("channel, parent and signer of the inscription are zero")
    block.check_body_root()
    return Genesis(block, GenesisParameters.decode(first.inscription), transfer, declarations)


def _operations(block: Block) -> tuple[Operation, ...]:
    """Returns the operations of the only transaction; raises `GenesisFormError`."""
    header = block.header
    is_first = header.slot == 0 and header.parent == ZERO
    if not is_first or header.leadership != _LEADERSHIP or any(block.signature):
        raise GenesisFormError("slot, parent, proof and signature of a genesis are zero")
    if block.uncles or len(block.transactions) != 1:
        raise GenesisFormError("a genesis has one transaction, and no uncles")
    [signed] = block.transactions
    if any(any(each.encode()) for each in signed.proofs):
        raise GenesisFormError("the proofs of a genesis are zero")
    return signed.transaction.operations
