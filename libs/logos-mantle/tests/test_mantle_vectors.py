"""The published values (MAN-5 to MAN-32)."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from logos_mantle.blocks import body_root, encode_uncles, merkle_root, read_uncles
from logos_mantle.channels import ChannelInscribe
from logos_mantle.derivations import PADDING_KEY, public_key
from logos_mantle.genesis import GenesisParameters
from logos_mantle.headers import Header, ProofOfLeadership, SignedHeader
from logos_mantle.notes import Note, note_id
from logos_mantle.octets import Reader
from logos_mantle.operations import decode_payload, operation_id
from logos_mantle.transactions import Transaction

FOLDER = Path(__file__).parents[3] / "vectors"


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / name).read_text("utf-8"))
    return document


MANTLE = read("logos-lips/mantle-operations.json")
BLOCKS = read("logos-lips/mantle-blocks.json")
GENESIS = read("logos-lips/mantle-genesis.json")
NOTES = read("logos-blockchain/notes.json")
INSCRIPTIONS = read("logos-blockchain/mantle-inscription.json")

pytestmark = pytest.mark.vectors


def uncles(count: int) -> tuple[SignedHeader, ...]:
    raw = bytes([count]) + bytes.fromhex("".join(BLOCKS["uncles"][:count]))
    reader = Reader(raw, limit=len(raw))
    found = read_uncles(reader)
    reader.end()
    assert encode_uncles(found) == raw
    return found


@pytest.mark.parametrize("case", MANTLE["operations"], ids=lambda case: case["id"])
def test_operations_have_the_published_ids(case: dict[str, Any]) -> None:
    payload = bytes.fromhex(case["payload"])

    operation = decode_payload(case["opcode"], payload)

    assert operation.opcode.name == case["id"]
    assert operation.payload() == payload
    assert operation_id(operation).hex() == case["op_id"]


@pytest.mark.parametrize("case", MANTLE["transactions"], ids=lambda case: case["id"])
def test_transactions_have_the_published_hashes(case: dict[str, Any]) -> None:
    transaction = Transaction.decode(bytes.fromhex(case["payload"]))

    assert Transaction(transaction.operations).encoded.hex() == case["payload"]
    assert transaction.hash.hex() == case["hash"]


def test_leaves_are_the_hashes_of_one_operation_each() -> None:
    payloads = [(each["opcode"], bytes.fromhex(each["payload"])) for each in MANTLE["operations"]]

    found = [Transaction((decode_payload(*each),)).hash.hex() for each in payloads]

    assert found == [each["hash"] for each in BLOCKS["leaves"]]


def test_merkle_roots_are_the_published_ones() -> None:
    leaves = [bytes.fromhex(each["hash"]) for each in BLOCKS["leaves"]]

    assert merkle_root(leaves).hex() == BLOCKS["merkle_root"]
    assert merkle_root([]).hex() == BLOCKS["empty_merkle_root"]


@pytest.mark.parametrize("case", BLOCKS["body_roots"], ids=lambda case: case["id"])
def test_body_roots_are_the_published_ones(case: dict[str, Any]) -> None:
    leaves = [bytes.fromhex(each["hash"]) for each in BLOCKS["leaves"]]

    assert body_root(uncles(case["uncles"]), leaves).hex() == case["body_root"]


@pytest.mark.parametrize("place", [0, 1])
def test_published_headers_are_signed_by_their_leaders(place: int) -> None:
    uncle = uncles(2)[place]
    key = Ed25519PublicKey.from_public_bytes(uncle.header.leadership.leader_key)

    key.verify(uncle.signature, uncle.header.encoded)  # MAN-22, MAN-23

    with pytest.raises(InvalidSignature):
        key.verify(uncle.signature, uncle.header.id)


def test_a_block_has_the_published_id() -> None:
    case = BLOCKS["header"]
    raw = {name: bytes.fromhex(case[name]) for name in case if name != "slot"}
    leadership = ProofOfLeadership(
        raw["leader_voucher"], raw["entropy_contribution"], raw["proof"], raw["leader_key"]
    )

    header = Header(raw["parent_block"], case["slot"], raw["body_root"], leadership)

    assert header.id == raw["block_id"]
    assert len(header.encoded) == 297


@pytest.mark.parametrize("case", GENESIS["cases"], ids=lambda case: case["id"])
def test_parameters_of_a_genesis_are_the_published_ones(case: dict[str, Any]) -> None:
    nonce = bytes.fromhex(case["genesis_epoch_nonce"])

    parameters = GenesisParameters(case["chain_id"], case["genesis_time"], nonce)

    assert parameters.encode().hex() == case["inscription"]
    assert GenesisParameters.decode(bytes.fromhex(case["inscription"])) == parameters


@pytest.mark.parametrize("case", NOTES["note_ids"], ids=lambda case: case["id"])
def test_notes_have_the_published_ids(case: dict[str, str]) -> None:
    key = int(case["public_key"]).to_bytes(32, "little")
    made_by = int(case["op_id"]).to_bytes(32, "little")

    found = note_id(made_by, int(case["output_index"]), Note(int(case["value"]), key))

    assert int.from_bytes(found, "little") == int(case["note_id"])


@pytest.mark.parametrize("case", NOTES["public_keys"], ids=lambda case: case["id"])
def test_keys_are_the_published_ones(case: dict[str, str]) -> None:
    found = public_key(int(case["secret_key"]).to_bytes(32, "little"))

    assert int.from_bytes(found, "little") == int(case["public_key"])
    assert found == PADDING_KEY


@pytest.mark.parametrize("case", INSCRIPTIONS["cases"], ids=lambda case: case["id"])
def test_inscriptions_are_encoded_as_published(case: dict[str, str]) -> None:
    seed = bytes.fromhex(case["signer_seed"])
    signer = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    channel, parent = bytes.fromhex(case["channel"]), bytes.fromhex(case["parent"])
    inscription = case["inscription"].encode()

    found = Transaction((ChannelInscribe(channel, inscription, parent, signer),))

    assert found.encoded.hex() == case["transaction"]
