"""Each rule of decoding is broken in one place, and the error names it (MAN-2 to MAN-32)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from mantle_values import LOCATOR, field_of

from logos_crypto.hashes import MODULUS
from logos_mantle import errors
from logos_mantle.blocks import (
    MAX_BLOCK_BYTES,
    MAX_PROPOSAL_BYTES,
    PROPOSAL_BYTES,
    Block,
    Proposal,
    body_root,
)
from logos_mantle.channels import (
    ChannelConfig,
    ChannelDeposit,
    ChannelInscribe,
    ChannelTransfer,
    ChannelWithdraw,
)
from logos_mantle.errors import MalformedError, ValueUnencodableError
from logos_mantle.genesis import GenesisParameters, genesis_block, read_genesis
from logos_mantle.headers import Header, ProofOfLeadership, SignedHeader
from logos_mantle.limits import MAX_BODY_BYTES, MAX_INSCRIPTION_BYTES
from logos_mantle.notes import Note
from logos_mantle.operations import Operation, decode_payload
from logos_mantle.proofs import IndexedSignature, InscriptionProof, ThresholdProof, ZkSignatureProof
from logos_mantle.services import Activity, SdpActive, SdpDeclare, SdpWithdraw, Service
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import LeaderClaim, Transfer

ONES = b"\1" * 32
FIELD = field_of(7)
BEYOND = field_of(MODULUS)
LEADERSHIP = ProofOfLeadership(FIELD, FIELD, b"\2" * 128, b"\3" * 32)
HEADER = Header(ONES, 5, ONES, LEADERSHIP)
UNCLE = SignedHeader(HEADER, b"\4" * 64)
NOTHING = SignedTransaction(Transaction(()), ())
DECLARE = SdpDeclare(Service.BLEND_NETWORK, (LOCATOR,), ONES, FIELD, FIELD)
PARAMETERS = GenesisParameters("test", 1, ONES)
GENESIS = genesis_block(PARAMETERS, [Note(3, FIELD)], [DECLARE])

_, *OTHERS = GENESIS.transactions[0].proofs
PROVED = replace(GENESIS.transactions[0], proofs=(ZkSignatureProof(b"\1" * 128), *OTHERS))


def inscribing(size: int) -> SignedTransaction:
    operation = ChannelInscribe(ONES, bytes(size), ONES, ONES)
    return SignedTransaction(Transaction((operation,)), (InscriptionProof(bytes(64)),))


def block(*transactions: SignedTransaction) -> Block:
    return Block(HEADER, bytes(64), (), transactions)


def declared(locators: bytes) -> bytes:
    return b"\0" + locators + ONES + FIELD + FIELD


@dataclass(frozen=True)
class Case:
    error: type[MalformedError]
    decode: Callable[[], object]
    name: str = ""


def payload(opcode: int, raw: bytes) -> Callable[[], object]:
    return lambda: decode_payload(opcode, raw)


def signatures(*indexes: int) -> bytes:
    entries = b"".join(bytes(64) + index.to_bytes(2, "little") for index in indexes)
    return len(indexes).to_bytes(2, "little") + entries


def withdrawn(proof: bytes) -> Callable[[], object]:
    transaction = Transaction((ChannelWithdraw(ONES, (FIELD,)),))
    return lambda: SignedTransaction.decode(transaction.encoded + proof)


def of_proposal(references: bytes) -> bytes:
    return HEADER.encoded + b"\0" + references + bytes(64)


def over_the_body() -> bytes:
    """A block that is as short as one with four uncles may be, but has none."""
    parts = [inscribing(MAX_INSCRIPTION_BYTES), inscribing(MAX_BODY_BYTES * 1 // 8)]
    raw = b"".join(each.encoded for each in parts)
    assert MAX_BODY_BYTES < len(raw) < MAX_BODY_BYTES + 4 * 361
    return HEADER.encoded + bytes(64) + b"\0\2\0" + raw


def genesis(**changes: object) -> Callable[[], object]:
    return lambda: read_genesis(replace(GENESIS, **changes))


def with_operations(*operations: object) -> Callable[[], object]:
    proofs = GENESIS.transactions[0].proofs
    signed = SignedTransaction(Transaction(operations), proofs[: len(operations)])  # type: ignore[arg-type]
    header = replace(GENESIS.header, body_root=body_root((), [signed.hash]))
    return lambda: read_genesis(replace(GENESIS, header=header, transactions=(signed,)))


TRANSFER, INSCRIPTION, _ = GENESIS.transactions[0].transaction.operations
assert isinstance(TRANSFER, Transfer)
assert isinstance(INSCRIPTION, ChannelInscribe)

CASES = [
    Case(errors.TruncatedError, lambda: Transaction.decode(b"")),
    Case(errors.TruncatedError, lambda: Transaction.decode(b"\1"), "no operation"),
    Case(errors.TruncatedError, payload(0x00, b"\xff" + FIELD), "fewer inputs than said"),
    Case(errors.TruncatedError, payload(0x10, ONES + b"\xff\xff" + ONES), "fewer keys than said"),
    Case(errors.TruncatedError, withdrawn(b"\xff\xff" + bytes(66)), "fewer signatures than said"),
    Case(errors.TrailingBytesError, lambda: Transaction.decode(b"\0\0")),
    Case(errors.TrailingBytesError, lambda: Block.decode(block().encode() + b"\0"), "of a block"),
    Case(errors.InputTooLongError, lambda: Transaction.decode(bytes(MAX_BODY_BYTES + 1))),
    Case(errors.InputTooLongError, lambda: Header.decode(bytes(298)), "header"),
    Case(errors.InputTooLongError, lambda: Block.decode(bytes(MAX_BLOCK_BYTES + 1)), "block"),
    Case(errors.InputTooLongError, lambda: Proposal.decode(bytes(MAX_PROPOSAL_BYTES + 1)), "prop"),
    Case(errors.FieldNotCanonicalError, payload(0x00, b"\1" + BEYOND + b"\0")),
    Case(errors.FieldNotCanonicalError, payload(0x30, FIELD + BEYOND + FIELD), "nullifier"),
    Case(errors.FieldNotCanonicalError, payload(0x30, FIELD + FIELD + b"\xff" * 32), "ones"),
    Case(
        errors.FieldNotCanonicalError,
        lambda: Header.decode(HEADER.encoded[:-32] + BEYOND),
        "voucher",
    ),
    Case(errors.OpcodeUnknownError, lambda: Transaction.decode(b"\1\x01")),
    Case(errors.OpcodeUnknownError, payload(0x31, b""), "payload"),
    Case(
        errors.InscriptionTooLongError,
        payload(0x11, ONES + (MAX_INSCRIPTION_BYTES + 1).to_bytes(4, "little")),
    ),
    Case(errors.MetadataTooLongError, payload(0x12, ONES + b"\0" + b"\xff" * 4)),
    Case(errors.ServiceUnknownError, payload(0x20, b"\1")),
    Case(errors.LocatorCountError, payload(0x20, b"\0\x09")),
    Case(errors.LocatorTooLongError, payload(0x20, b"\0\1" + (330).to_bytes(2, "little"))),
    Case(errors.LocatorMalformedError, payload(0x20, declared(b"\1\0\0"))),
    Case(errors.ActivityUnknownError, payload(0x22, ONES + bytes(8) + b"\1\2")),
    Case(errors.SignatureOrderError, withdrawn(signatures(1, 1))),
    Case(errors.SignatureOrderError, withdrawn(signatures(2, 1)), "decreasing"),
    Case(errors.VersionUnknownError, lambda: Header.decode(b"\2" + HEADER.encoded[1:])),
    Case(errors.UncleCountError, lambda: Proposal.decode(HEADER.encoded + b"\5")),
    Case(errors.ReferenceGapError, lambda: Proposal.decode(of_proposal(bytes(32767) + b"\1"))),
    Case(
        errors.TransactionCountError,
        lambda: Block.decode(HEADER.encoded + bytes(64) + b"\0" + b"\1\4" + bytes(1025)),
    ),
    Case(errors.BodyTooLargeError, lambda: Block.decode(over_the_body())),
    Case(errors.BodyRootError, genesis(header=replace(GENESIS.header, body_root=ONES))),
    Case(errors.BodyRootError, block().check_body_root, "of a block"),
    Case(errors.GenesisFormError, genesis(header=replace(GENESIS.header, slot=1)), "slot"),
    Case(errors.GenesisFormError, genesis(header=replace(GENESIS.header, parent=ONES)), "parent"),
    Case(
        errors.GenesisFormError,
        genesis(header=replace(GENESIS.header, leadership=LEADERSHIP)),
        "leader",
    ),
    Case(errors.GenesisFormError, genesis(signature=b"\1" * 64), "signature"),
    Case(errors.GenesisFormError, genesis(uncles=(UNCLE,)), "uncles"),
    Case(errors.GenesisFormError, genesis(transactions=()), "no transaction"),
    Case(errors.GenesisFormError, genesis(transactions=(NOTHING,)), "no operation"),
    Case(errors.GenesisFormError, genesis(transactions=(PROVED,)), "proofs"),
    Case(errors.GenesisFormError, with_operations(INSCRIPTION, TRANSFER), "order"),
    Case(errors.GenesisFormError, with_operations(Transfer((), ()), INSCRIPTION), "no notes"),
    Case(
        errors.GenesisFormError,
        with_operations(Transfer((FIELD,), TRANSFER.outputs), INSCRIPTION),
        "inputs",
    ),
    Case(
        errors.GenesisFormError,
        with_operations(Transfer((), (Note(0, FIELD),)), INSCRIPTION),
        "a note of nothing",
    ),
    Case(
        errors.GenesisFormError,
        with_operations(TRANSFER, INSCRIPTION, LeaderClaim(FIELD, FIELD, FIELD)),
        "a claim",
    ),
    Case(
        errors.GenesisFormError,
        with_operations(TRANSFER, replace(INSCRIPTION, channel=ONES)),
        "channel",
    ),
    Case(
        errors.GenesisFormError,
        with_operations(TRANSFER, replace(INSCRIPTION, parent=ONES)),
        "message before it",
    ),
    Case(
        errors.GenesisFormError,
        with_operations(TRANSFER, replace(INSCRIPTION, signer=ONES)),
        "signer",
    ),
    Case(
        errors.GenesisParametersError,
        with_operations(TRANSFER, replace(INSCRIPTION, inscription=b"\4test")),
    ),
    Case(
        errors.GenesisParametersError, lambda: GenesisParameters.decode(b"\1\xff" + bytes(36)), "id"
    ),
    Case(errors.GenesisParametersError, lambda: GenesisParameters.decode(bytes(293)), "too long"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.error.reason} {case.name}".strip())
def test_refused_with_its_reason(case: Case) -> None:
    with pytest.raises(MalformedError) as caught:
        case.decode()

    assert type(caught.value) is case.error


def test_each_rule_has_a_case_and_a_reason_of_its_own() -> None:
    classes = set(MalformedError.__subclasses__())

    assert {case.error for case in CASES} == classes
    assert len({each.reason for each in classes}) == len(classes)


UNENCODABLE: dict[str, Callable[[], object]] = {
    "value": lambda: Note(1 << 64, FIELD).encode(),
    "negative": lambda: Note(-1, FIELD).encode(),
    "key": lambda: Note(1, BEYOND).encode(),
    "short key": lambda: Note(1, FIELD[:-1]).encode(),
    "inputs": Transfer((FIELD,) * 256, ()).payload,
    "outputs": Transfer((), (Note(1, FIELD),) * 256).payload,
    "threshold": ChannelConfig(ONES, (), 0, 0, 1 << 16, 0).payload,
    "keys": ChannelConfig(ONES, (ONES,) * (1 << 16), 0, 0, 0, 0).payload,
    "inscription": ChannelInscribe(ONES, bytes(MAX_INSCRIPTION_BYTES + 1), ONES, ONES).payload,
    "locators": replace(DECLARE, locators=(LOCATOR,) * 9).payload,
    "locator": replace(DECLARE, locators=(b"\0",)).payload,
    "long locator": replace(DECLARE, locators=(LOCATOR * 30,)).payload,
    "operations": lambda: Transaction((TRANSFER,) * 256).encoded,
    "no proofs": lambda: SignedTransaction(Transaction((TRANSFER,)), ()).encoded,
    "another proof": lambda: (
        SignedTransaction(Transaction((TRANSFER,)), (ThresholdProof(()),)).encoded
    ),
    "signed": lambda: (
        SignedTransaction(
            Transaction(inscribing(MAX_INSCRIPTION_BYTES).transaction.operations * 2),
            (InscriptionProof(bytes(64)),) * 2,
        ).encoded
    ),
    "indexes": ThresholdProof((IndexedSignature(bytes(64), 1),) * 2).encode,
    "uncles": Proposal(HEADER, (UNCLE,) * 5, (), bytes(64)).encode,
    "references": Proposal(HEADER, (), (ONES,) * 1025, bytes(64)).encode,
    "zero reference": Proposal(HEADER, (), (bytes(32),), bytes(64)).encode,
    "body": block(inscribing(MAX_INSCRIPTION_BYTES), inscribing(MAX_INSCRIPTION_BYTES)).encode,
    "transactions": block(*[NOTHING] * 1025).encode,
    "chain": lambda: genesis_block(replace(PARAMETERS, chain_id="x" * 256), [Note(1, FIELD)], []),
    "declarations": lambda: genesis_block(PARAMETERS, [Note(1, FIELD)], [DECLARE] * 254),
    "no first notes": lambda: genesis_block(PARAMETERS, [], []),
    "a first note of nothing": lambda: genesis_block(PARAMETERS, [Note(0, FIELD)], []),
}


@pytest.mark.parametrize("name", UNENCODABLE)
def test_own_values_beyond_their_place_are_not_written(name: str) -> None:
    with pytest.raises(ValueUnencodableError):
        UNENCODABLE[name]()


def test_the_largest_of_each_is_read() -> None:
    largest = [
        ChannelConfig(ONES, (ONES,) * 65_000, 0, 0, 1, 1),
        ChannelInscribe(ONES, bytes(MAX_INSCRIPTION_BYTES), ONES, ONES),
        Transfer((FIELD,) * 255, (Note((1 << 64) - 1, FIELD),) * 255),
        replace(DECLARE, locators=(b"\x36\xc6\x02" + b"x" * 326,) * 8),
    ]

    for operation in largest:
        assert decode_payload(operation.opcode, operation.payload()) == operation


def test_a_block_of_as_many_transactions_and_bytes_as_there_may_be() -> None:
    many = block(*[NOTHING] * 1024)
    frame = len(inscribing(0).encoded)
    large = block(inscribing(MAX_INSCRIPTION_BYTES), inscribing(MAX_BODY_BYTES // 8 - 2 * frame))

    assert Block.decode(many.encode()) == many
    assert Block.decode(large.encode()) == large
    assert len(large.encode()) == MAX_BLOCK_BYTES - 4 * 361


def test_sizes_of_proposals() -> None:
    proposals = [Proposal(HEADER, (UNCLE,) * count, (ONES,), bytes(64)) for count in range(5)]

    sizes = [len(each.encode()) for each in proposals]

    assert sizes == [33_130 + 361 * count for count in range(5)]
    assert (sizes[0], sizes[-1]) == (PROPOSAL_BYTES, MAX_PROPOSAL_BYTES)


NOTE = Note(1, FIELD)
ACTIVITY = Activity(1, ONES, FIELD, bytes(128), FIELD)
PLACES = [
    (Transfer((FIELD, FIELD), (NOTE,)), 3),
    (ChannelDeposit(ONES, (FIELD,), b""), 1),
    (ChannelWithdraw(ONES, (FIELD,)), 1),
    (ChannelTransfer(ONES, (FIELD,), (NOTE,)), 2),
    (DECLARE, 2),
    (SdpWithdraw(ONES, 1, FIELD), 1),
    (SdpActive(ONES, 1, ACTIVITY), 2),
    (LeaderClaim(FIELD, FIELD, FIELD), 3),
]
"""Operations with field values, and how many."""


def beyond_at_each_place(raw: bytes, count: int) -> list[bytes]:
    """Adds the modulus to one field value after the other."""
    found = [at for at in range(len(raw)) if raw.startswith(FIELD, at)]
    assert len(found) == count
    return [raw[:at] + field_of(7 + MODULUS) + raw[at + 32 :] for at in found]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place[0].opcode.name)
def test_a_field_value_has_one_name(place: tuple[Operation, int]) -> None:
    operation, count = place

    for raw in beyond_at_each_place(operation.payload(), count):
        with pytest.raises(errors.FieldNotCanonicalError):
            decode_payload(operation.opcode, raw)


def test_a_field_value_of_a_header_has_one_name() -> None:
    for raw in beyond_at_each_place(HEADER.encoded, 2):
        with pytest.raises(errors.FieldNotCanonicalError):
            Header.decode(raw)


def test_own_field_values_are_checked_too() -> None:
    beyond = [
        Transfer((BEYOND,), ()),
        Transfer((), (Note(1, BEYOND),)),
        replace(DECLARE, zk_id=BEYOND),
        replace(DECLARE, locked_note_id=BEYOND),
        SdpWithdraw(ONES, 1, BEYOND),
        SdpActive(ONES, 1, replace(ACTIVITY, key_nullifier=BEYOND)),
        SdpActive(ONES, 1, replace(ACTIVITY, selection_randomness=BEYOND)),
        LeaderClaim(BEYOND, FIELD, FIELD),
        LeaderClaim(FIELD, BEYOND, FIELD),
        LeaderClaim(FIELD, FIELD, BEYOND),
    ]
    headers = [
        replace(HEADER, leadership=replace(LEADERSHIP, voucher=BEYOND)),
        replace(HEADER, leadership=replace(LEADERSHIP, entropy=BEYOND)),
    ]

    for operation in beyond:
        with pytest.raises(ValueUnencodableError):
            operation.payload()
    for header in headers:
        with pytest.raises(ValueUnencodableError):
            _ = header.encoded
        with pytest.raises(ValueUnencodableError):
            _ = header.id
