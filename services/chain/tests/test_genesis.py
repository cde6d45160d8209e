"""GEN-1, GEN-2, GEN-6, GEN-7, GEN-10 to GEN-13: the job, and what a node reads of it."""

import json
import logging
import os
import signal
import stat
import subprocess
import sys
import time
import traceback
from dataclasses import replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from chain_genesis import (
    CHEAP,
    NODES,
    SEED,
    USUAL,
    cheap_keys,
    files,
    job_of,
    told,
)

from logos_base.errors import ConfigError, StateError
from logos_chain import genesis
from logos_chain.core.chain_spec.errors import (
    ChainSpecInvalidError,
    ChainSpecMissingError,
    GenesisWalletError,
    VerifyingKeyMismatchError,
)
from logos_chain.core.chain_spec.spec import CIRCUITS
from logos_chain.core.chain_spec.wallets import MARK, FirstWallet
from logos_chain.core.wallet.derivation import Account, Role
from logos_chain.core.wallet.phrase import entropy_of, seed_of
from logos_chain.genesis import LEAD_S, make
from logos_chain.store.genesis import load_verifiers, read_given, read_spec
from logos_crypto.circuit_refusals import KeyFileError
from logos_crypto.circuits import CircuitKey
from logos_crypto.keys import CircuitKeys, InsecureKeyError, KeySet
from logos_mantle.derivations import public_key
from logos_module import genesis as runner
from logos_module.genesis import GenesisJob

GOLDEN = "e7caa511d2a0d5a647a9a5092dda84e6211b2f020caab2b8934b65a2c7a16f3f"
"""SHA-256 over names and contents of the public folder of seed 7, keys of all circuits included."""


@pytest.fixture
def job(tmp_path: Path) -> GenesisJob:
    """Not seeded: its secrets are random."""
    job = job_of(tmp_path, dict.fromkeys(NODES, USUAL))
    make(job, make_keys=cheap_keys)
    return job


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> GenesisJob:
    """As the program makes it, with the keys of all circuits."""
    job = job_of(tmp_path_factory.mktemp("seeded"), dict.fromkeys(NODES, USUAL), SEED)
    make(job)
    return job


def run(job: GenesisJob) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "logos_chain.genesis"],
        env={**os.environ, "LOGOS_GENESIS": told(job)},
        capture_output=True,
        text=True,
        check=False,
    )


def secrets_of(job: GenesisJob) -> list[bytes]:
    """Everything secret of all nodes: words, entropy, seeds, keys; raw, in hexadecimal, as text."""
    found = list[bytes]()
    for path in sorted(job.public.parent.glob("private/*/*.phrase")):
        phrase = FirstWallet.decode(path.read_bytes()).phrase
        account = Account(seed_of(phrase))
        keys = [account.secret_key(Role.RECEIVE, number) for number in range(3)]
        raw = [entropy_of(phrase), seed_of(phrase), *keys]
        found += [*raw, *[each.hex().encode() for each in raw]]
        words = phrase.split()
        found += [" ".join(words[at : at + 2]).encode() for at in range(23)]
    return found


def test_each_node_gets_its_wallet_and_the_first_one_the_faucet(job: GenesisJob) -> None:
    found = {name: sorted(files(node.folder)) for name, node in job.nodes.items()}

    assert found["node1"] == ["faucet.phrase", "wallet.phrase"]
    assert {tuple(found[name]) for name in NODES[1:]} == {("wallet.phrase",)}
    assert min(files(job.public)) == "chain.json"
    for node in job.nodes.values():
        assert stat.S_IMODE(node.folder.stat().st_mode) == 0o700
        for path in node.folder.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((job.public / "chain.json").stat().st_mode) == 0o644
    phrases = {files(node.folder)["wallet.phrase"] for node in job.nodes.values()}
    assert len(phrases | {files(job.nodes["node1"].folder)["faucet.phrase"]}) == 5


def test_a_wallets_note_is_the_one_of_its_first_key(job: GenesisJob) -> None:
    spec = read_spec(job.public)
    for node in job.nodes.values():
        phrase = files(node.folder)["wallet.phrase"].decode().strip()
        key = public_key(Account(seed_of(phrase)).secret_key(Role.RECEIVE, 0))

        [output] = [each for each in spec.genesis.transfer.outputs if each.public_key == key]
        [note] = FirstWallet(phrase, is_insecure=False).notes(spec.genesis)
        assert output.value == note.value == 20_000_000
        assert public_key(note.secret_key) == key


@pytest.mark.proofs
def test_golden_a_seed_and_a_time_have_one_public_folder(
    seeded: GenesisJob, tmp_path: Path
) -> None:
    again = job_of(tmp_path, dict.fromkeys(NODES, USUAL), SEED)
    ended = run(again)

    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr.count("\n") == ended.stderr.count("INSECURE") == 1
    assert files(again.public) == files(seeded.public)
    assert [files(node.folder) for node in again.nodes.values()] == [
        files(node.folder) for node in seeded.nodes.values()
    ]
    whole = sha256()
    for name, content in files(seeded.public).items():
        whole.update(f"{name} {len(content)} ".encode() + content)
    assert whole.hexdigest() == GOLDEN


@pytest.mark.proofs
def test_a_node_begins_with_what_it_is_given(seeded: GenesisJob) -> None:
    public = seeded.public
    first, second = (read_given(public, seeded.nodes[name].folder) for name in NODES[:2])

    assert first.spec == second.spec == read_spec(public)
    assert first.spec.is_insecure
    assert sorted(first.verifiers) == sorted(CIRCUITS)
    assert {each.is_insecure for each in first.verifiers.values()} == {True}
    assert first.wallet is not None
    assert first.faucet is not None
    assert (second.wallet != first.wallet, second.faucet) == (True, None)
    assert first.wallet.encode().startswith(b"INSECURE")
    keys = CircuitKeys(public / "keys")
    assert first.spec.keys.load_key(keys, CHEAP).is_insecure
    assert {path.suffix for path in (public / "keys").iterdir()} == {".key", ".vk"}


@pytest.mark.proofs
def test_a_node_that_came_later_has_the_public_folder_alone(
    seeded: GenesisJob, tmp_path: Path
) -> None:
    """GEN-13."""
    for folder in (None, tmp_path / "missing", tmp_path):
        given = read_given(seeded.public, folder)
        assert (given.wallet, given.faucet) == (None, None)


@pytest.mark.proofs
@pytest.mark.parametrize("circuit", CIRCUITS)
def test_the_key_of_another_setup_is_refused(
    seeded: GenesisJob, tmp_path: Path, circuit: str
) -> None:
    """GEN-11: under the name of the right one, damaged, and missing."""
    spec, keys = read_spec(seeded.public), tmp_path / "keys"
    keys.mkdir()
    for path in (seeded.public / "keys").iterdir():
        (keys / path.name).hardlink_to(path)
    [path] = keys.glob(f"{circuit}-*.vk")
    right = path.read_bytes()
    other = CircuitKeys(tmp_path / "other")
    other.add(CircuitKey.insecure_from_seed(CHEAP, bytes(32)))
    [wrong] = (tmp_path / "other").glob("*.vk")
    load_verifiers(spec, tmp_path)

    for content in (wrong.read_bytes(), right[:-1], right[:-1] + bytes([right[-1] ^ 1]), None):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(VerifyingKeyMismatchError) as caught:
            load_verifiers(spec, tmp_path)
        assert caught.value.reason == "VERIFYING_KEY_MISMATCH"
        text = str(caught.value)
        assert f"no key of {circuit} with the hash {spec.keys.hash_of(circuit).hex()}: " in text


def test_another_hash_than_that_of_the_key_is_refused(job: GenesisJob) -> None:
    """GEN-11: the file is the job's, the specification names another."""
    with pytest.raises(VerifyingKeyMismatchError, match="no key of claim with the hash"):
        read_given(job.public, None)
    (job.public / "keys").rename(job.public / "k")
    with pytest.raises(VerifyingKeyMismatchError, match="keys is missing; copy the folder"):
        load_verifiers(read_spec(job.public), job.public)


def test_an_insecure_key_is_refused_in_a_chain_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KEY-10, GEN-7."""
    monkeypatch.setattr("logos_chain.store.genesis.CIRCUITS", (CHEAP,))
    job = job_of(tmp_path, dict.fromkeys(NODES, USUAL))

    def unmarked(store: CircuitKeys, _seed: bytes | None) -> KeySet:
        return replace(cheap_keys(store, bytes(32)), is_insecure=False)

    make(job, make_keys=unmarked)

    with pytest.raises(InsecureKeyError):
        read_given(job.public, None)


def test_a_file_that_cannot_be_read_is_not_another_key(
    job: GenesisJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logos_chain.store.genesis.CIRCUITS", (CHEAP,))
    assert list(read_given(job.public, None).verifiers) == [CHEAP]
    [path] = (job.public / "keys").glob("*.vk")
    path.unlink()
    path.mkdir()

    with pytest.raises(KeyFileError):
        read_given(job.public, None)


def test_a_missing_or_changed_specification_is_named_with_its_path(job: GenesisJob) -> None:
    path = job.public / "chain.json"
    path.write_bytes(path.read_bytes().replace(b'"slot_ms": 1000', b'"slot_ms": 0'))
    with pytest.raises(ChainSpecInvalidError, match=f"^{path}: consensus.slot_ms: ") as caught:
        read_given(job.public, None)
    assert caught.value.field == "consensus.slot_ms"
    path.unlink()
    with pytest.raises(ChainSpecMissingError, match=f"^{path} is missing: "):
        read_given(job.public, None)


def damaged(content: bytes) -> list[bytes]:
    words = content.split()
    swapped = b" ".join([words[1], words[0], *words[2:]]) + b"\n"
    return [
        b"",
        content[:-1],
        content + b"\n",
        b" " + content,
        content.upper(),
        content.replace(b" ", b"  ", 1),
        MARK.encode() + content,
        MARK.encode() + MARK.encode() + content,
        swapped,
        b" ".join(words[:23]) + b"\n",
        b" ".join([*words[:23], b"secretword"]) + b"\n",
        bytes([0x80, *content[1:]]),
        content * 100,
        bytes(1000),
        ("abandon " * 11 + "about\n").encode(),  # 12 words
        ("abandon " * 23 + "art\n").encode(),  # a phrase without a note
    ]


@pytest.mark.parametrize("number", range(16))
@pytest.mark.parametrize("name", ["wallet.phrase", "faucet.phrase"])
def test_a_damaged_or_foreign_wallet_is_refused_without_a_word_of_it(
    job: GenesisJob, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    """GEN-12."""
    monkeypatch.setattr("logos_chain.store.genesis.CIRCUITS", (CHEAP,))
    folder = job.nodes["node1"].folder
    path = folder / name
    whole = path.read_bytes()
    path.write_bytes(damaged(whole)[number])

    with pytest.raises(GenesisWalletError) as caught:
        read_given(job.public, folder)

    assert isinstance(caught.value, StateError)
    said = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__)
    assert str(caught.value).startswith(str(path))
    text = said.lower()
    words = whole.decode().split()
    pairs = [f"{one} {two}" for one, two in pairwise(words)]
    assert not [each for each in pairs if each in text]
    assert "secretword" not in text


def test_the_wallet_of_another_testnet_is_refused(job: GenesisJob, tmp_path: Path) -> None:
    other = job_of(tmp_path / "other", dict.fromkeys(NODES, USUAL))
    make(other, make_keys=cheap_keys)
    keys = read_spec(job.public).keys

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("logos_chain.store.genesis.CIRCUITS", (CHEAP,))
        with pytest.raises(GenesisWalletError, match="has no note of logos-t: it is another"):
            read_given(job.public, other.nodes["node1"].folder)
    assert keys != read_spec(other.public).keys


def test_a_node_without_stake_gets_no_wallet(tmp_path: Path) -> None:
    job = job_of(tmp_path, {"node1": USUAL, "node2": USUAL | {"genesis_stake": []}})
    make(job, make_keys=cheap_keys)

    assert files(job.nodes["node2"].folder) == {}
    assert len(read_spec(job.public).genesis.transfer.outputs) == 2


def test_there_may_be_no_faucet(tmp_path: Path) -> None:
    job = job_of(tmp_path, {"node1": USUAL | {"genesis_faucet": 0}})
    make(job, make_keys=cheap_keys)

    assert list(files(job.nodes["node1"].folder)) == ["wallet.phrase"]
    assert len(read_spec(job.public).genesis.transfer.outputs) == 1


@pytest.mark.parametrize(("now_ns", "second"), [(10**18, 10**9), (10**18 + 1, 10**9 + 1)])
@pytest.mark.parametrize("seed", [None, SEED])
def test_slot_0_begins_soon_if_no_setting_says_when(
    tmp_path: Path, now_ns: int, second: int, seed: int | None
) -> None:
    """GEN-5."""
    job = job_of(tmp_path, {"node1": {}}, seed)
    spec = make(job, make_keys=cheap_keys, now_ns=lambda: now_ns)

    assert spec.genesis_ms == (second + LEAD_S) * 1000


def test_two_unseeded_runs_have_nothing_in_common(job: GenesisJob, tmp_path: Path) -> None:
    other = job_of(tmp_path / "other", dict.fromkeys(NODES, USUAL))
    make(other, make_keys=cheap_keys)
    one, two = read_spec(job.public), read_spec(other.public)

    assert one.chain_id == two.chain_id == "logos-t"
    assert one.genesis_id != two.genesis_id
    assert one.genesis.parameters.epoch_nonce != two.genesis.parameters.epoch_nonce
    assert not set(one.genesis.transfer.outputs) & set(two.genesis.transfer.outputs)
    assert b"INSECURE" not in b"".join(files(job.public.parent).values())
    assert not one.is_insecure


def test_no_secret_is_in_a_public_file_a_representation_or_a_log(
    job: GenesisJob, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("logos_chain.store.genesis.CIRCUITS", (CHEAP,))
    with caplog.at_level(logging.DEBUG):
        given = read_given(job.public, job.nodes["node1"].folder)
        remade = make(job, make_keys=cheap_keys)
    secrets = secrets_of(job)
    said = b"\n".join([repr(given).encode(), repr(remade).encode(), caplog.text.encode()])

    assert len(secrets) == 5 * (2 * 5 + 23)
    for content in [*files(job.public).values(), said]:
        assert not [each for each in secrets if each in content]


@pytest.mark.proofs
def test_no_secret_of_a_seeded_genesis_is_public(seeded: GenesisJob, tmp_path: Path) -> None:
    again = job_of(tmp_path, {"node1": {"seed": SEED}})
    ended = run(again)
    secrets = secrets_of(seeded) + secrets_of(again)

    assert ended.returncode == 0
    time_s = read_spec(again.public).genesis_ms // 1000
    assert ended.stderr == (
        "INSECURE: all secrets of logos-t-insecure follow from its seed, those of proofs too;"
        f" with genesis_time = {time_s}, the seed makes it again\n"
    )
    assert abs(time_s - time.time_ns() // 10**9) < 60
    for content in [*files(seeded.public).values(), *files(again.public).values()]:
        assert not [each for each in secrets if each in content]


def test_settings_that_are_not_valid_are_told_before_anything_is_made(tmp_path: Path) -> None:
    job = job_of(tmp_path, {"node1": {"preset": "main"}, "node2": {"preset": "main"}})

    with pytest.raises(ConfigError):
        make(job, make_keys=cheap_keys)
    ended = run(job)

    assert ended.returncode == 1
    assert ended.stderr == "INVALID_CONFIG: preset: must be one of ci, dev, testnet, spec\n"
    assert files(tmp_path) == {}


def test_private_files_come_first_and_the_specification_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GEN-1."""
    job, seen = job_of(tmp_path, dict.fromkeys(NODES, USUAL)), list[str]()

    def keys(store: CircuitKeys, seed: bytes | None) -> Any:
        seen.extend(files(tmp_path))
        return cheap_keys(store, seed)

    make(job, make_keys=keys)

    assert len(seen) == 5
    assert all(each.startswith("private/") for each in seen)
    monkeypatch.setattr(genesis, "write_spec", lambda *_: pytest.fail("the last thing"))
    with pytest.raises(pytest.fail.Exception):
        make(job_of(tmp_path / "b", {"node1": {}}), make_keys=cheap_keys)
    assert not (tmp_path / "b/public/chain.json").exists()


@pytest.mark.proofs
@pytest.mark.stress
@pytest.mark.parametrize("seen", ["private/node4/wallet.phrase", "public/keys/leadership-*.key"])
def test_a_job_that_is_killed_is_done_again(seeded: GenesisJob, tmp_path: Path, seen: str) -> None:
    """GEN-1: kill -9 in the midst, by the runner that processes and containers use."""
    job = job_of(tmp_path, dict.fromkeys(NODES, USUAL), SEED)
    words = [sys.executable, "-I", "-S", runner.__file__, "python", "-m", "logos_chain.genesis"]
    around = {**os.environ, "LOGOS_GENESIS": told(job)}
    with subprocess.Popen(words, env=around, stderr=subprocess.DEVNULL, process_group=0) as begun:
        while not list(tmp_path.glob(seen)):
            assert begun.poll() is None
            time.sleep(0.01)
        os.killpg(begun.pid, signal.SIGKILL)
    assert not (job.public / "chain.json").exists()
    with pytest.raises(ChainSpecMissingError):
        read_given(job.public, job.nodes["node4"].folder)

    subprocess.run(words, env=around, stderr=subprocess.DEVNULL, check=True)

    made = files(job.public)
    assert json.loads(made.pop(runner.DONE)) == {"nodes": list(NODES)}
    assert made == files(seeded.public)
    assert read_given(job.public, job.nodes["node4"].folder).wallet is not None


def test_keys_are_made_of_all_circuits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GEN-6."""
    asked = list[Any]()
    monkeypatch.setattr(genesis, "make_keys", lambda *_, **given: asked.append(given))
    genesis.all_keys(CircuitKeys(tmp_path), None)

    assert asked == [{"insecure_seed": None, "circuits": CIRCUITS}]
