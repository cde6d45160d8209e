"""HTP-5, HTP-6: transactions in the reference's JSON, and what is none."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from chain_ledger import ALICE, CHANNEL, KEYS, activity, declaration, named, signed
from hypothesis import given
from hypothesis import strategies as st
from mantle_values import signed_transactions

from logos_chain.http.answers import encoded
from logos_chain.http.errors import RequestInvalidError
from logos_chain.http.given import to_signed, to_transaction
from logos_chain.http.reading import (
    MAX_BODY_BYTES,
    MAX_CONTAINERS,
    MAX_TEXTS,
    hexadecimal,
    octets,
)
from logos_chain.http.written import of_signed, of_transaction
from logos_mantle.channels import (
    ChannelConfig,
    ChannelDeposit,
    ChannelInscribe,
    ChannelTransfer,
    ChannelWithdraw,
)
from logos_mantle.errors import ValueUnencodableError
from logos_mantle.limits import MAX_BODY_BYTES as MAX_BLOCK_BYTES
from logos_mantle.limits import MAX_METADATA_BYTES
from logos_mantle.notes import Note
from logos_mantle.services import SdpActive, SdpWithdraw
from logos_mantle.transactions import SignedTransaction, Transaction
from logos_mantle.transfers import LeaderClaim, Transfer
from logos_module.http.bodies import strict_json

NOTE = named("note")
ALL = signed(
    Transfer((NOTE,), (Note(7, ALICE),)),
    ChannelConfig(CHANNEL, KEYS[:2], 3, 4, 1, 2),
    ChannelInscribe(CHANNEL, b"\x01\x02", bytes(32), KEYS[0]),
    ChannelDeposit(CHANNEL, (NOTE,), b"\x03\xff"),
    ChannelWithdraw(CHANNEL, (NOTE,)),
    ChannelTransfer(CHANNEL, (NOTE,), (Note(8, ALICE),)),
    declaration("a", NOTE),
    SdpWithdraw(named("declared"), 9, NOTE),
    SdpActive(named("declared"), 10, activity(11)),
    LeaderClaim(named("root"), named("nullifier"), ALICE),
)
"""One of each operation."""


def given_json(transaction: SignedTransaction = ALL) -> Any:
    return json.loads(encoded(of_signed(transaction)))


@given(signed_transactions)
def test_a_transaction_comes_back(transaction: SignedTransaction) -> None:
    assert to_signed(given_json(transaction)) == transaction


def test_the_forms_of_operations_are_the_references() -> None:
    ops = given_json()["mantle_tx"]["ops"]
    assert [each["opcode"] for each in ops] == [0, 16, 17, 18, 19, 20, 32, 33, 34, 48]
    payloads = [each["payload"] for each in ops]
    note, channel, key = NOTE.hex(), CHANNEL.hex(), ALICE.hex()
    assert payloads[0] == {"inputs": [note], "outputs": [{"value": 7, "pk": key}]}
    assert payloads[1] == {
        "channel": channel,
        "keys": [each.hex() for each in KEYS[:2]],
        "posting_timeframe": 3,
        "posting_timeout": 4,
        "configuration_threshold": 1,
        "transfer_threshold": 2,
    }
    assert payloads[2] == {
        "channel_id": channel,
        "inscription": "0102",
        "parent": "00" * 32,
        "signer": KEYS[0].hex(),
    }
    assert payloads[3] == {"channel_id": channel, "inputs": [note], "metadata": [3, 255]}
    assert payloads[4] == {"channel_id": channel, "inputs": [note]}
    outputs = [{"value": 8, "pk": key}]
    assert payloads[5] == {"channel_id": channel, "inputs": [note], "outputs": outputs}
    assert payloads[6] == {
        "service_type": "BN",
        "locators": ["/ip4/127.0.0.1/udp/3000/quic-v1"],
        "provider_id": named("provider a").hex(),
        "zk_id": named("zk a").hex(),
        "service_note_id": note,
    }
    assert payloads[7].keys() == {"declaration_id", "nonce", "service_note_id"}
    assert payloads[8]["metadata"]["Blend"].keys() == {
        "epoch",
        "signing_key",
        "proof_of_quota",
        "proof_of_selection",
    }
    assert payloads[9].keys() == {"rewards_root", "voucher_nullifier", "pk"}


def test_the_forms_of_proofs_are_the_references() -> None:
    proofs = given_json()["ops_proofs"]
    points = {"pi_a": "00" * 32, "pi_b": "00" * 64, "pi_c": "00" * 32}
    zk, ed25519 = {"ZkSig": points}, "00" * 64
    several = {
        "ChannelMultiSigProof": {"signatures": [{"signature": ed25519, "channel_key_index": 0}]}
    }
    assert proofs == [
        zk,
        several,
        {"Ed25519Sig": ed25519},
        zk,
        several,
        several,
        {"ZkAndEd25519Sigs": {"zk_sig": points, "ed25519_sig": ed25519}},
        zk,
        zk,
        {"PoC": {"proof": "00" * 128}},
    ]


def test_points_may_be_lists_of_bytes_and_ids_may_begin_with_0x() -> None:
    value = given_json()
    points = value["ops_proofs"][0]["ZkSig"]
    points["pi_b"] = list(bytes.fromhex(points["pi_b"]))
    payload = value["mantle_tx"]["ops"][2]["payload"]
    payload["channel_id"] = "0x" + payload["channel_id"].upper()
    assert to_signed(value) == ALL


def test_a_hash_is_left_out_or_is_that_of_the_transaction() -> None:
    value = given_json()
    assert value["mantle_tx"]["hash"] == ALL.hash.hex()
    del value["mantle_tx"]["hash"]
    assert to_signed(value) == ALL
    value["mantle_tx"]["hash"] = "00" * 32
    with pytest.raises(RequestInvalidError, match="another transaction"):
        to_signed(value)


def test_a_transaction_of_the_generation_before_is_refused_with_the_field() -> None:
    value = given_json()
    value["mantle_tx"]["execution_gas_price"] = 0
    with pytest.raises(RequestInvalidError, match="execution_gas_price"):
        to_signed(value)


def _containers(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, dict | list):
            yield from _containers(each)


def _refusal(value: Any) -> str | None:
    """The field that a value is refused for; None: it is not."""
    try:
        to_signed(value)
    except RequestInvalidError as error:
        return error.field
    return None


def test_each_field_is_needed_and_there_is_no_other() -> None:
    places = [list(each) for each in _containers(given_json())]
    for at, names in enumerate(places):
        for name in names:
            for wrong in (None, -1, 2**64, "x", {}, 1.5, True):
                value = given_json()
                list(_containers(value))[at][name] = wrong
                assert _refusal(value), (name, wrong)
            value = given_json()
            del list(_containers(value))[at][name]
            assert _refusal(value) or name == "hash"
        value = given_json()
        list(_containers(value))[at]["more"] = 1
        assert _refusal(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(JSON | st.fixed_dictionaries({"mantle_tx": JSON, "ops_proofs": JSON}))
def test_values_are_transactions_or_refused(value: Any) -> None:
    try:
        found = to_signed(value)
    except RequestInvalidError:
        return
    assert isinstance(found, SignedTransaction)


def test_a_field_value_above_the_modulus_has_no_encoding() -> None:
    value = given_json()
    value["mantle_tx"]["ops"][0]["payload"]["inputs"] = ["ff" * 32]
    del value["mantle_tx"]["hash"]
    with pytest.raises(ValueUnencodableError):
        _ = to_signed(value).encoded


@pytest.mark.parametrize("text", ["0", "0x0", "0xg0", " 00", "00\n", "0X00", 5, None, ["00"]])
def test_what_is_not_hexadecimal(text: Any) -> None:
    with pytest.raises(RequestInvalidError):
        hexadecimal(text, "it")


@pytest.mark.parametrize("value", [[256], [-1], [1.0], ["1"], [None], 3, "00", {}, [0] * 9])
def test_what_is_no_list_of_bytes(value: Any) -> None:
    with pytest.raises(RequestInvalidError):
        octets(value, "it", 8)


# -- the largest ones --------------------------------------------------------------------------


def test_the_largest_deposit_fits_a_body() -> None:
    made = signed(ChannelDeposit(CHANNEL, (NOTE,), b"\xff" * MAX_METADATA_BYTES))
    raw = encoded(of_signed(made))
    assert len(raw) <= MAX_BODY_BYTES
    value = strict_json(raw, max_containers=MAX_CONTAINERS, max_texts=MAX_TEXTS)
    assert to_signed(value) == made


def test_the_most_notes_of_a_transaction_fit_a_body() -> None:
    transaction = Transaction((Transfer((), (Note(1, ALICE),) * 205),) * 255)
    assert len(transaction.encoded) <= MAX_BLOCK_BYTES < len(transaction.encoded) + 255 * 128
    raw = encoded(of_transaction(transaction))
    assert len(raw) <= MAX_BODY_BYTES
    value = strict_json(raw, max_containers=MAX_CONTAINERS, max_texts=MAX_TEXTS)
    assert to_transaction(value, "it") == transaction
