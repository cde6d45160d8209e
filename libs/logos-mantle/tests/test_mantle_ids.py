"""What is hashed of declarations, messages, notes, blocks and a genesis (MAN-8, MAN-15 to 31)."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mantle_values import LOCATOR, field_of

from logos_crypto.hashes import MODULUS
from logos_crypto.trees import LedgerTree, merkle_path
from logos_mantle.blocks import Block, Proposal, body_root, merkle_root
from logos_mantle.channels import ChannelConfig, ChannelInscribe, message_id
from logos_mantle.derivations import (
    blake2b,
    public_key,
    reduced,
    tag,
    voucher_commitment,
    voucher_nullifier,
)
from logos_mantle.errors import ValueUnencodableError
from logos_mantle.genesis import GenesisParameters, genesis_block, read_genesis
from logos_mantle.headers import Header, ProofOfLeadership
from logos_mantle.notes import Note, note_id
from logos_mantle.opcodes import Opcode
from logos_mantle.operations import decode_payload, operation_id
from logos_mantle.proofs import IndexedSignature, ThresholdProof
from logos_mantle.services import Activity, SdpActive, SdpDeclare, Service, reward_operation_id
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import Transfer

FOLDER = Path(__file__).parents[3] / "vectors/logos-blockchain"
ONES = b"\1" * 32
TWOS = b"\2" * 32
KEY = field_of(9)
DECLARE = SdpDeclare(Service.BLEND_NETWORK, (LOCATOR, LOCATOR), ONES, KEY, field_of(4))
HEADER = Header(ONES, 5, TWOS, ProofOfLeadership(KEY, KEY, bytes(128), ONES))


def plain(raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=32).digest()


def sample(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{name}-sample.json").read_text("utf-8"))
    return document


def test_tags_are_integers_of_their_letters() -> None:
    assert int.from_bytes(tag("KDF"), "little") == int.from_bytes(b"KDF", "little")


@given(st.binary(min_size=32, max_size=32))
def test_digests_are_reduced(digest: bytes) -> None:
    value = int.from_bytes(reduced(digest), "little")

    assert value < MODULUS
    assert (int.from_bytes(digest, "little") - value) % MODULUS == 0


@pytest.mark.vectors
def test_nullifiers_are_those_of_the_published_sample() -> None:
    case = sample("poc")
    secret = field_of(int(case["private"]["secret_voucher"]))

    nullifier = voucher_nullifier(secret)

    assert int.from_bytes(nullifier, "little") == int(case["public"]["voucher_nullifier"])


@pytest.mark.vectors
def test_vouchers_are_in_the_tree_of_the_published_sample() -> None:
    case = sample("poc")
    private, root = case["private"], field_of(int(case["public"]["voucher_root"]))
    path = merkle_path(int(private["index"]), [field_of(int(each)) for each in private["path"]])

    leaf = voucher_commitment(field_of(int(private["secret_voucher"])))

    assert LedgerTree.verify(leaf, path, root)


@pytest.mark.vectors
def test_keys_are_those_of_the_published_sample() -> None:
    case = sample("signature")
    pairs = zip(case["private"]["secret_keys"], case["public"]["public_keys"], strict=True)

    for secret, public in pairs:
        assert int.from_bytes(public_key(field_of(int(secret))), "little") == int(public)


def test_a_declaration_is_known_by_what_stands_in_it_but_its_note() -> None:
    locators = b"\2" + (b"\x0b\0" + LOCATOR) * 2

    assert DECLARE.declaration_id() == plain(b"\0" + ONES + KEY + locators)
    assert replace(DECLARE, locked_note_id=KEY).declaration_id() == DECLARE.declaration_id()


def test_a_list_of_locators_cannot_be_split_otherwise() -> None:
    together = replace(DECLARE, locators=(LOCATOR + LOCATOR,))

    assert together.declaration_id() != DECLARE.declaration_id()


def test_messages_are_hashed_without_tag_and_code() -> None:
    inscribe = ChannelInscribe(ONES, b"text", TWOS, KEY)
    config = ChannelConfig(ONES, (KEY,), 1, 2, 1, 1)

    assert message_id(inscribe) == plain(ONES + b"\4\0\0\0text" + TWOS + KEY)
    assert message_id(config) == plain(config.payload())
    assert operation_id(inscribe) == plain(b"OPERATION_ID_V1" + inscribe.payload())


def test_operations_of_different_codes_can_share_an_id() -> None:
    outputs = [Note(0x1E, KEY)] + [Note(1, KEY)] * 196
    transfer = Transfer((KEY,), tuple(outputs))

    deposit = decode_payload(Opcode.CHANNEL_DEPOSIT, transfer.payload())

    assert deposit.payload() == transfer.payload()
    assert operation_id(deposit) == operation_id(transfer)


def test_a_note_is_known_by_its_place_and_its_operation() -> None:
    note = Note(3, KEY)
    ids = {
        note_id(ONES, 0, note),
        note_id(ONES, 1, note),
        note_id(TWOS, 0, note),
        note_id(ONES, 0, Note(4, KEY)),
        note_id(ONES, 0, Note(3, field_of(8))),
    }

    assert len(ids) == 5
    assert note_id(reduced(b"\xff" * 32), 0, note) == note_id(b"\xff" * 32, 0, note)


@pytest.mark.parametrize("index", [-1, 1 << 64])
def test_a_note_without_an_encoding_has_no_id(index: int) -> None:
    with pytest.raises(ValueUnencodableError):
        note_id(ONES, index, Note(1, KEY))


def test_rewards_have_ids_by_service_and_epoch() -> None:
    assert reward_operation_id(Service.BLEND_NETWORK, 258) == plain(b"\0\2\1\0\0")


def test_activity_has_no_length() -> None:
    activity = Activity(258, ONES, KEY, bytes(128), KEY)

    payload = SdpActive(TWOS, 3, activity).payload()

    assert payload == (TWOS + b"\3" + bytes(7) + b"\1\1\2\1\0\0" + ONES + KEY + bytes(128) + KEY)


def test_indexes_follow_their_signatures() -> None:
    proof = ThresholdProof((IndexedSignature(b"\7" * 64, 1), IndexedSignature(b"\x08" * 64, 258)))

    assert proof.encode() == b"\2\0" + b"\7" * 64 + b"\1\0" + b"\x08" * 64 + b"\2\1"


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=9))
def test_merkle_roots_are_those_of_the_padded_list(leaves: list[bytes]) -> None:
    padded = leaves + [bytes(32)] * ((1 << (len(leaves) - 1).bit_length()) - len(leaves))

    assert merkle_root(leaves) == merkle_root(padded)
    if len(padded) > 1:
        half = len(padded) // 2
        assert merkle_root(leaves) == plain(merkle_root(padded[:half]) + merkle_root(padded[half:]))
    else:
        assert merkle_root(leaves) == leaves[0]


def test_id_and_encoding_have_their_own_order() -> None:
    proof = ProofOfLeadership(field_of(1), field_of(2), b"\3" * 128, b"\4" * 32)
    header = replace(HEADER, leadership=proof)
    start = b"\1" + ONES + b"\5" + bytes(7) + TWOS

    assert header.encoded == start + proof.proof + proof.entropy + b"\4" * 32 + proof.voucher
    assert header.id == plain(
        b"BLOCK_ID_V1" + start + proof.voucher + proof.entropy + proof.proof + b"\4" * 32
    )


def test_a_proposal_names_the_transactions_of_its_block() -> None:
    first = SignedTransaction(Transaction(()), ())
    header = replace(HEADER, body_root=body_root((), [first.hash, first.hash]))
    block = Block(header, bytes(64), (), (first, first))
    block.check_body_root()

    proposal = Proposal.decode(block.proposal().encode())

    assert proposal.references == (first.hash, first.hash)
    assert proposal.has_body_root()
    assert not replace(proposal, references=(first.hash,)).has_body_root()
    assert block.id == header.id


def test_a_genesis_comes_back() -> None:
    parameters = GenesisParameters("täst", 1_767_640_835, b"\xff" * 32)
    outputs = [Note(3, KEY), Note(4, KEY)]
    made_by = operation_id(Transfer((), tuple(outputs)))
    declare = replace(DECLARE, locked_note_id=note_id(made_by, 1, outputs[1]))

    block = genesis_block(parameters, outputs, [declare])

    found = read_genesis(Block.decode(block.encode()))
    assert found.parameters == parameters
    assert found.parameters.epoch_nonce_value == reduced(b"\xff" * 32)
    assert found.transfer.outputs == tuple(outputs)
    assert found.declarations == (declare,)
    [signed] = block.transactions
    assert block.header.body_root == blake2b(b"BODY_ROOT_V1", b"\0", signed.hash)


def test_another_name_makes_another_chain() -> None:
    names = ("a", "b")

    ids = {genesis_block(GenesisParameters(each, 1, ONES), [Note(3, KEY)], []).id for each in names}

    assert len(ids) == 2
