"""GEN-3 to GEN-10, GEN-14: making a chain specification, and reading it."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from hashlib import sha256
from math import sqrt
from typing import Any

import pytest
from chain_genesis import NODES, SEED, TIME_S, chain, hashes, leaves, settings
from hypothesis import given
from hypothesis import strategies as st

from logos_base.errors import ConfigError
from logos_chain.core.chain_spec.documents import canonical
from logos_chain.core.chain_spec.errors import ChainSpecInvalidError, GenesisWalletError
from logos_chain.core.chain_spec.making import first_wallets, ledger_parameters, new_chain
from logos_chain.core.chain_spec.settings import DEFAULT_FAUCET, DEFAULT_STAKE, settings_of
from logos_chain.core.chain_spec.spec import CIRCUITS, MAX_SPEC_BYTES, ChainSpec
from logos_chain.core.chain_spec.wallets import FirstWallet, seeded
from logos_chain.core.consensus.epochs import epoch_at
from logos_chain.core.consensus.lottery import lottery_constants, lottery_of
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.presets import PRESETS
from logos_chain.core.ledger.parameters import Emission, LedgerParameters
from logos_chain.core.ledger.rewards import block_reward
from logos_crypto.keys import KeySet
from logos_crypto.trees import LedgerTree
from logos_mantle.derivations import reduced
from logos_mantle.genesis import GenesisParameters, genesis_block, read_genesis
from logos_mantle.notes import Note, note_id
from logos_mantle.operations import operation_id

SPEC, WALLETS = chain()
DOCUMENT: dict[str, Any] = json.loads(SPEC.encode())
GOLDEN = "17b0eb4e22de16bec45357237291db2ecbfe001863ff7bc04d0fd4b534b0f611"
"""SHA-256. Another one means that seeded testnets of two releases do not agree."""


def read(raw: bytes) -> ChainSpec | ChainSpecInvalidError:
    try:
        return ChainSpec.decode(raw)
    except ChainSpecInvalidError as error:
        return error


def refused(document: bytes | dict[str, Any]) -> ChainSpecInvalidError:
    raw = document if isinstance(document, bytes) else canonical(document)
    with pytest.raises(ChainSpecInvalidError) as caught:
        ChainSpec.decode(raw)
    assert (caught.value.__cause__, caught.value.reason) == (None, "CHAIN_SPEC_INVALID")
    return caught.value


def changed(
    place: tuple[Any, ...], change: Callable[[dict[str, Any], Any], None]
) -> dict[str, Any]:
    """The document after a change of the table that holds the last name of a place."""
    document = deepcopy(DOCUMENT)
    table = document
    for name in place[:-1]:
        table = table[name]
    change(table, place[-1])
    return document


def put(value: object) -> Callable[[dict[str, Any], Any], None]:
    return lambda table, name: table.__setitem__(name, value)


def other(value: object) -> object:
    """Another value of the same type."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str() if value.startswith("0x"):
            return hex(int(value, 16) + 1)
        case str():
            return value[:-1] + ("0" if value[-1] != "0" else "1")
    return [1, 997]


def test_a_specification_reads_back_what_was_made() -> None:
    again = ChainSpec.decode(SPEC.encode())

    assert again == SPEC
    assert again.hash == SPEC.hash
    assert again.genesis_id == SPEC.genesis.block.id == bytes.fromhex(DOCUMENT["genesis"]["id"])
    assert (again.chain_id, again.genesis_ms) == ("logos-t-insecure", TIME_S * 1000)
    assert again.is_insecure is DOCUMENT["insecure"] is True


def test_golden_a_seed_has_one_specification() -> None:
    assert sha256(SPEC.encode()).hexdigest() == GOLDEN
    assert chain()[0].encode() == SPEC.encode()


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_spelled_out(name: str) -> None:
    spec, _ = chain(preset=name)
    again, preset = ChainSpec.decode(spec.encode()).consensus, PRESETS[name]

    assert replace(again, density_window_slots=None) == preset
    assert again.density_window_slots == preset.density_slots
    constants = lottery_constants(preset.activation)
    assert spec.document()["lottery"] == {
        "linear": hex(constants.linear),
        "quadratic": hex(constants.quadratic),
    }
    assert spec.hash != SPEC.hash or name == "testnet"


def test_epoch_0_is_that_of_the_published_rule() -> None:
    """CON-5: root over the outputs, their sum, the nonce that the inscription names."""
    outputs = SPEC.genesis.transfer.outputs
    identifier, tree = operation_id(SPEC.genesis.transfer), LedgerTree()
    for index, note in enumerate(outputs):
        tree.insert(note_id(identifier, index, note))

    state = SPEC.first_state()

    assert (state.slot, state.epoch.epoch) == (0, 0)
    assert state.epoch.aged_root == state.ledger_root == tree.root == SPEC.first_ledger().root
    assert state.epoch.total_stake == sum(each.value for each in outputs) == 82_000_000
    assert state.epoch.nonce == reduced(SPEC.genesis.parameters.epoch_nonce) == state.nonce
    first = SPEC.consensus.epoch_slots
    assert epoch_at(SPEC.consensus, state, first).aged_root == state.ledger_root


def test_each_node_has_its_stake_under_a_key_of_its_own_for_each_note() -> None:
    """GEN-3, GEN-4: and the order of the outputs does not say whose they are."""
    spec, wallets = chain(genesis_stake=[5, 6, 7], genesis_faucet=3)
    outputs = spec.genesis.transfer.outputs
    keys = [each.public_key for each in outputs]
    notes = {name: wallet.notes(spec.genesis) for name, wallet in wallets.nodes.items()}

    assert list(notes) == list(NODES)
    assert {tuple(each.value for each in own) for own in notes.values()} == {(5, 6, 7)}
    assert wallets.faucet is not None
    assert [each.value for each in wallets.faucet.notes(spec.genesis)] == [3]
    assert keys == sorted(set(keys))
    assert len(keys) == 13
    assert len({each.note_id for own in notes.values() for each in own}) == 12


def test_a_wallet_finds_more_notes_than_the_gap_has_keys() -> None:
    spec, wallets = chain(genesis_stake=list(range(1, 31)))

    for wallet in wallets.nodes.values():
        assert [each.value for each in wallet.notes(spec.genesis)] == list(range(1, 31))


def test_a_file_of_fewer_words_is_none() -> None:
    """GEN-12: 12 words are a phrase, and none that a job writes."""
    with pytest.raises(GenesisWalletError, match=r"^24 words in one line"):
        FirstWallet.decode(b"abandon " * 11 + b"about\n")


def test_each_node_wins_its_share_of_slots() -> None:
    """GEN-4: over 2,000 slots, within five deviations."""
    slots, state = 2000, SPEC.first_state()
    drawn = lottery_of(epoch_at(SPEC.consensus, state, 1), SPEC.consensus.activation)
    chance = 1 - (1 - float(SPEC.consensus.activation)) ** (20 / 82)
    for wallet in WALLETS.nodes.values():
        [note] = wallet.notes(SPEC.genesis)

        won = len(list(drawn.winning_slots(note, 1, 1 + slots)))

        assert abs(won - slots * chance) < 5 * sqrt(slots * chance * (1 - chance))
        assert won > 0


@pytest.mark.parametrize("place", list(leaves(DOCUMENT)), ids=".".join)
def test_a_changed_field_is_named(place: tuple[str, ...]) -> None:
    """GEN-10: of another value, of another type, out of bounds, missing."""
    name = ".".join(place)
    value: Any = DOCUMENT
    for step in place:
        value = value[step]
    free = place[0] in {"consensus", "ledger", "preset", "verifying_keys"}

    values: list[Any] = [None, [], {}, -1, 1.0, 1 << 70, "", "\ud800", [0, 1], [1, 2, 3]]
    wrong = [changed(place, put(each)) for each in values]
    wrong.append(changed(place, put(float(value) if isinstance(value, int) else [value])))
    if not free:
        wrong.append(changed(place, put(other(value))))
    for document in wrong:
        error = refused(document)
        assert error.field is not None
        assert str(error).startswith(f"{error.field}: ")
        # Without the mark, it is the name that is wrong.
        assert error.field in ({name, "chain_id"} if name == "insecure" else {name})
    assert refused(changed(place, lambda table, last: table.pop(last))).field == name


@pytest.mark.parametrize("place", list(leaves(DOCUMENT)), ids=".".join)
def test_a_free_field_of_another_value_is_of_another_chain(place: tuple[str, ...]) -> None:
    """What follows from nothing else can be another: then `hash` is."""
    if place[0] not in {"consensus", "ledger", "verifying_keys"}:
        return
    document = changed(place, lambda table, name: table.__setitem__(name, other(table[name])))
    found = read(canonical(document))
    if isinstance(found, ChainSpec):
        assert found.hash != SPEC.hash
    else:  # beyond its bound, or what follows is another
        assert found.field in {".".join(place), "lottery.linear"}


@pytest.mark.parametrize("place", ["", "genesis", "consensus", "ledger.emission", "lottery"])
def test_an_unknown_field_is_named(place: str) -> None:
    inner = (*place.split("."), "more") if place else ("more",)

    assert refused(changed(inner, put(1))).field == ".".join(inner)


def test_parameters_that_do_not_go_together_are_named() -> None:
    error = refused(changed(("consensus", "uncle_window_blocks"), put(29)))

    assert error.field == "consensus"
    assert "uncle_window_blocks must be" in str(error)
    missing = changed(("verifying_keys", "claim"), lambda table, name: table.pop(name))
    assert refused(missing).field == "verifying_keys.claim"


@pytest.mark.parametrize("at", range(0, len(SPEC.genesis.block.encode()), 7))
def test_a_block_with_another_byte_is_refused(at: int) -> None:
    raw = bytearray(SPEC.genesis.block.encode())
    raw[at] ^= 1

    assert str(refused(changed(("genesis", "block"), put(raw.hex())))).partition(":")[0] in {
        "genesis.block",
        "genesis.id",
        "chain_id",
        "genesis.epoch_nonce",
        "genesis.ledger_root",
    }


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: b" " + raw,
        lambda raw: raw[:-1],
        lambda raw: raw + b"\n",
        lambda raw: raw.replace(b"  ", b"\t"),
        lambda raw: json.dumps(json.loads(raw), sort_keys=True).encode(),
        lambda raw: raw.replace(b"testnet", b"\\u0074estnet"),
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: raw.ljust(MAX_SPEC_BYTES + 1, b"\n"),
        lambda raw: raw[: len(raw) // 2],
        lambda raw: raw.replace(b'"version": 1', b'"version": 1,\n  "version": 1'),
        lambda _raw: b"[" * 100_000,
        lambda _raw: b"9" * 5_000,
        lambda _raw: b"NaN",
        lambda _raw: b"",
    ],
)
def test_there_is_one_form(change: Callable[[bytes], bytes]) -> None:
    """GEN-9."""
    assert len(str(refused(change(SPEC.encode())))) < 200


def test_a_name_that_is_there_twice_and_too_many_bytes_are_told_as_such() -> None:
    raw = SPEC.encode()
    twice = refused(raw.replace(b'"slot_ms"', b'"slot_ms": 1,\n    "slot_ms"'))

    assert (str(twice), twice.field) == ("slot_ms: there twice", "slot_ms")
    assert str(refused(raw + bytes(MAX_SPEC_BYTES))) == f"more than {MAX_SPEC_BYTES} bytes"


def test_another_version_is_told_first() -> None:
    document = changed(("version",), put(2)) | {"more": 1}

    assert str(refused(document)) == "version: this release reads 1"
    assert refused(changed(("version",), put(value=True))).field == "version"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)


@pytest.mark.property
@given(st.sampled_from(list(leaves(DOCUMENT))), st.integers(0, 3), JSON)
def test_any_json_in_any_place_is_a_specification_or_the_error(
    place: tuple[Any, ...], depth: int, value: object
) -> None:
    document = changed(place[: max(1, len(place) - depth)], put(value))
    raw = json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"
    found = read(raw)
    if isinstance(found, ChainSpec):
        assert found.encode() == raw
    else:
        assert str(found).isprintable()
        assert len(str(found)) < 400


@pytest.mark.property
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_the_error(raw: bytes) -> None:
    refused(raw)


def test_a_mark_and_the_name_belong_together() -> None:
    """GEN-7."""
    genesis, unmarked = SPEC.genesis, KeySet(hashes(), is_insecure=False)
    plain = GenesisParameters("logos-t", TIME_S, bytes(32))
    named = read_genesis(genesis_block(plain, genesis.transfer.outputs, ()))
    marked = KeySet(hashes(), is_insecure=True)

    for keys, first in ((unmarked, genesis), (marked, named)):
        with pytest.raises(ChainSpecInvalidError, match="ends with -insecure") as caught:
            ChainSpec(SPEC.consensus, SPEC.ledger, keys, first)
        assert caught.value.field == "chain_id"
    assert not ChainSpec(SPEC.consensus, SPEC.ledger, unmarked, named).is_insecure


def test_a_genesis_that_the_ledger_refuses_is_none() -> None:
    plain = GenesisParameters("t-insecure", TIME_S, bytes(32))
    rich = read_genesis(genesis_block(plain, [Note(1 << 63, bytes(32))], ()))

    with pytest.raises(ChainSpecInvalidError, match=f"{1 << 63} tokens, at most") as caught:
        ChainSpec(SPEC.consensus, SPEC.ledger, SPEC.keys, rich)

    assert caught.value.field == "genesis.block"
    fewer = {name: hashes()[name] for name in CIRCUITS[1:]}
    with pytest.raises(ChainSpecInvalidError, match="claim"):
        ChainSpec(SPEC.consensus, SPEC.ledger, KeySet(fewer, is_insecure=True), SPEC.genesis)


def test_settings_have_defaults_and_a_chain_its_testnets_name() -> None:
    """GEN-2."""
    found = settings_of("home", None, {"a": {}, "b": {"genesis_stake": []}})

    assert (found.chain_id, found.preset.name) == ("logos-home", "testnet")
    assert found.stakes == {"a": DEFAULT_STAKE, "b": ()}
    assert (found.faucet, found.time_s, found.seed) == (DEFAULT_FAUCET, None, None)
    assert list(first_wallets(found, seeded(1)).nodes) == ["a"]
    assert settings_of("home", 3, {"a": {}}).chain_id == "logos-home-insecure"
    assert settings_of("home", None, {"a": {"seed": 3}}).chain_id == "logos-home-insecure"
    named = {"chain_id": "x-insecure"}
    assert settings_of("home", 3, {"a": named}).chain_id == "x-insecure"


def test_100_nodes_are_rewarded_in_full() -> None:
    """LED-33: the defaults stay below the target by more than the scale."""
    emission = LedgerParameters().emission
    stake = 100 * sum(DEFAULT_STAKE) + DEFAULT_FAUCET

    assert stake <= emission.stake_target - emission.scale
    assert sum(DEFAULT_STAKE) >= 10 * DEFAULT_FAUCET


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_a_reward_of_a_test_network_pays_the_fee_of_its_claim(preset: Parameters) -> None:
    """GEN-15: a claim costs some 2,030 at prices of 1, with its headroom."""
    emission = ledger_parameters(preset).emission

    _, leaders = block_reward(emission, 5 * sum(DEFAULT_STAKE), [0])

    assert (leaders > 2_500) == (preset.name != "spec")
    assert (emission == Emission()) == (preset.name == "spec")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"preset": "main"}, "preset: must be one of ci, dev, testnet, spec"),
        ({"preset": []}, "preset: must be one of"),
        ({"chain_id": 3}, "chain_id: must be printable text"),
        ({"chain_id": ""}, "chain_id: must be printable text"),
        ({"chain_id": "a\n"}, "chain_id: must be printable text"),
        ({"chain_id": "ä" * 128}, "chain_id: must have at most 255 bytes"),
        ({"chain_id": "x-insecure"}, "chain_id: x-insecure must not end with -insecure"),
        ({"genesis_faucet": -1}, "genesis_faucet: must be a whole number, 0 to"),
        ({"genesis_faucet": True}, "genesis_faucet: must be a whole number"),
        ({"genesis_time": 1 << 32}, "genesis_time: must be a whole number, 0 to 4294967295"),
        ({"genesis_time": 1.5}, "genesis_time: must be a whole number"),
        ({"seed": -1}, "seed: must be a whole number"),
        ({"genesis_stake": 3}, "genesis_stake: node1 must have a list of whole numbers"),
        ({"genesis_stake": [0]}, "genesis_stake: node1 must have a list"),
        ({"genesis_stake": [True]}, "genesis_stake: node1 must have a list"),
        ({"genesis_stake": []}, "genesis_stake: some node must have a note"),
        ({"genesis_stake": [1] * 64}, "genesis_stake: 256 notes, with the faucet's at most 255"),
        ({"genesis_stake": [1 << 61]}, "genesis_stake: 9223372036856775808 tokens, at most"),
    ],
)
def test_settings_that_are_not_valid_are_named(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(**{"seed": None} | changes)

    assert any(each.startswith(problem) for each in caught.value.problems), caught.value.problems


@pytest.mark.parametrize("name", ["preset", "chain_id", "genesis_faucet", "genesis_time", "seed"])
def test_settings_of_all_are_the_same_on_all_nodes(name: str) -> None:
    for one, two in (({name: 1}, {}), ({}, {name: 1}), ({name: 1}, {name: True})):
        with pytest.raises(ConfigError, match=f"{name}: b must have the same as a"):
            settings_of("t", None, {"a": one, "b": two})


def test_a_job_needs_nodes_and_one_seed() -> None:
    with pytest.raises(ConfigError, match="no node has the module"):
        settings_of("t", None, {})
    with pytest.raises(ConfigError, match="seed: is not that of the testnet"):
        settings_of("t", 1, {"a": {"seed": 2}})


def test_another_seed_has_nothing_in_common() -> None:
    draw = seeded(SEED + 1)
    given = settings(SEED + 1)
    spec = new_chain(
        given, first_wallets(given, draw), KeySet(hashes(), is_insecure=True), draw, time_s=TIME_S
    )

    mine = {each.public_key for each in SPEC.genesis.transfer.outputs}
    assert mine.isdisjoint(each.public_key for each in spec.genesis.transfer.outputs)
    assert spec.genesis.parameters.epoch_nonce != SPEC.genesis.parameters.epoch_nonce
    for wrong in (-1, 1 << 64):
        with pytest.raises(ValueError, match="a seed is 0 to"):
            seeded(wrong)
