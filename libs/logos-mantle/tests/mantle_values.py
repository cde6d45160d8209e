"""Strategies for values of the chain, and one of each operation."""

from hypothesis import strategies as st

from logos_crypto.hashes import MODULUS
from logos_mantle.blocks import Block, Proposal
from logos_mantle.channels import (
    ChannelConfig,
    ChannelDeposit,
    ChannelInscribe,
    ChannelTransfer,
    ChannelWithdraw,
)
from logos_mantle.headers import Header, ProofOfLeadership, SignedHeader
from logos_mantle.notes import Note
from logos_mantle.opcodes import Opcode
from logos_mantle.operations import Operation
from logos_mantle.proofs import (
    PROOF_OF,
    ClaimProof,
    DeclarationProof,
    IndexedSignature,
    InscriptionProof,
    OperationProof,
    ThresholdProof,
    ZkSignatureProof,
)
from logos_mantle.services import Activity, SdpActive, SdpDeclare, SdpWithdraw, Service
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import LeaderClaim, Transfer

LOCATOR = bytes.fromhex("047f00000191020bb8cd03")
"""/ip4/127.0.0.1/udp/3000/quic-v1"""


def field_of(value: int) -> bytes:
    return value.to_bytes(32, "little")


def fixed(size: int) -> st.SearchStrategy[bytes]:
    return st.integers(0, 255).map(lambda each: bytes([each]) * size) | st.binary(
        min_size=size, max_size=size
    )


def numbers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << bits) - 1)


def tuples(of: st.SearchStrategy, size: int) -> st.SearchStrategy:
    return st.lists(of, max_size=size).map(tuple)


hashes = fixed(32)
fields = st.sampled_from([0, 1, MODULUS - 1]).map(field_of) | st.integers(0, MODULUS - 1).map(
    field_of
)
notes = st.builds(Note, numbers(64), fields)
inputs = tuples(fields, 2)
outputs = tuples(notes, 2)
texts = st.binary(max_size=40)
locators = st.sampled_from(
    [
        LOCATOR,
        bytes.fromhex("0401020304060050"),
        b"\x36\x0bexample.org\x06\x01\xbb\xdd\x03",
    ]
)
activities = st.builds(Activity, numbers(32), hashes, fields, fixed(128), fields)

OPERATIONS: dict[Opcode, st.SearchStrategy[Operation]] = {
    Opcode.TRANSFER: st.builds(Transfer, inputs, outputs),
    Opcode.CHANNEL_CONFIG: st.builds(
        ChannelConfig,
        hashes,
        tuples(hashes, 2),
        numbers(32),
        numbers(32),
        numbers(16),
        numbers(16),
    ),
    Opcode.CHANNEL_INSCRIBE: st.builds(ChannelInscribe, hashes, texts, hashes, hashes),
    Opcode.CHANNEL_DEPOSIT: st.builds(ChannelDeposit, hashes, inputs, texts),
    Opcode.CHANNEL_WITHDRAW: st.builds(ChannelWithdraw, hashes, inputs),
    Opcode.CHANNEL_TRANSFER: st.builds(ChannelTransfer, hashes, inputs, outputs),
    Opcode.SDP_DECLARE: st.builds(
        SdpDeclare,
        st.just(Service.BLEND_NETWORK),
        tuples(locators, 2),
        hashes,
        fields,
        fields,
    ),
    Opcode.SDP_WITHDRAW: st.builds(SdpWithdraw, hashes, numbers(64), fields),
    Opcode.SDP_ACTIVE: st.builds(SdpActive, hashes, numbers(64), activities),
    Opcode.LEADER_CLAIM: st.builds(LeaderClaim, fields, fields, fields),
}
operations = st.one_of(*OPERATIONS.values())

thresholds = (
    st.lists(st.tuples(fixed(64), numbers(16)), max_size=3, unique_by=lambda each: each[1])
    .map(lambda pairs: sorted(pairs, key=lambda each: each[1]))
    .map(lambda pairs: ThresholdProof(tuple(IndexedSignature(*each) for each in pairs)))
)
PROOFS: dict[type[OperationProof], st.SearchStrategy[OperationProof]] = {
    ZkSignatureProof: st.builds(ZkSignatureProof, fixed(128)),
    InscriptionProof: st.builds(InscriptionProof, fixed(64)),
    DeclarationProof: st.builds(DeclarationProof, fixed(128), fixed(64)),
    ThresholdProof: thresholds,
    ClaimProof: st.builds(ClaimProof, fixed(128)),
}


def with_proofs(transaction: Transaction) -> st.SearchStrategy[SignedTransaction]:
    proofs = [PROOFS[PROOF_OF[each.opcode]] for each in transaction.operations]
    return st.tuples(*proofs).map(lambda found: SignedTransaction(transaction, found))


transactions = tuples(operations, 3).map(Transaction)
signed_transactions = transactions.flatmap(with_proofs)
headers = st.builds(
    Header,
    hashes,
    numbers(64),
    hashes,
    st.builds(ProofOfLeadership, fields, fields, fixed(128), hashes),
)
uncles = tuples(st.builds(SignedHeader, headers, fixed(64)), 2)
blocks = st.builds(Block, headers, fixed(64), uncles, tuples(signed_transactions, 2))
references = tuples(hashes.filter(any), 5)
proposals = st.builds(Proposal, headers, uncles, references, fixed(64))
