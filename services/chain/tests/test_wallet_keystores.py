"""WAL-27: the phrase of a node's wallet is made or taken once, sealed, and replaced as a whole."""

import logging
import stat
from pathlib import Path

import pytest
from chain_wallet import SEED
from chain_wallet_node import OWN, WalletNode

from logos_base.errors import StoreFailedError
from logos_chain.core.chain_spec.wallets import FirstWallet
from logos_chain.core.wallet.derivation import Account, Role
from logos_chain.core.wallet.errors import (
    KeystoreDamagedError,
    PassphraseEmptyError,
    PassphraseWrongError,
    PhraseChecksumError,
    WalletScanningError,
)
from logos_chain.core.wallet.keystore import Cost, seal
from logos_chain.core.wallet.phrase import PHRASE_WORDS
from logos_chain.operations.wallets.keystores import (
    KEYSTORE,
    WalletKeystore,
    account_of,
    open_account,
)
from logos_mantle.notes import Note

CHEAP = Cost(log2_n=4, r=1, p=1)
GIVEN, OTHER = (FirstWallet.of(bytes([each]) * 32, is_insecure=True) for each in (1, 2))


def key_of(account: Account) -> bytes:
    return account.secret_key(Role.RECEIVE, 0)


def keystore(folder: Path) -> WalletKeystore:
    return WalletKeystore(folder, cost=CHEAP)


def test_the_phrase_of_the_genesis_is_sealed_and_then_the_keystore_wins(tmp_path: Path) -> None:
    first = open_account(tmp_path, "open", GIVEN, cost=CHEAP)

    assert key_of(first) == key_of(account_of(GIVEN.phrase))
    for given in (GIVEN, OTHER, None):
        assert key_of(open_account(tmp_path, "open", given, cost=CHEAP)) == key_of(first)
    assert keystore(tmp_path).phrase("open") == GIVEN.phrase
    path = tmp_path / KEYSTORE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert all(word.encode() not in path.read_bytes() for word in GIVEN.phrase.split())
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_phrase_is_of_24_words_and_random(tmp_path: Path) -> None:
    phrases = set()
    for name in "ab":
        (tmp_path / name).mkdir()
        open_account(tmp_path / name, "open", None, cost=CHEAP)
        phrases.add(keystore(tmp_path / name).phrase("open"))

    assert len(phrases) == 2
    assert {len(each.split()) for each in phrases} == {max(PHRASE_WORDS)}


def test_a_wrong_passphrase_or_a_damaged_file_changes_nothing(tmp_path: Path) -> None:
    store = keystore(tmp_path)
    with pytest.raises(PassphraseEmptyError):
        store.open("", GIVEN)
    assert list(tmp_path.iterdir()) == []
    store.open("open", GIVEN)
    raw = store.path.read_bytes()
    for call in (lambda: store.open("wrong", GIVEN), lambda: store.phrase("wrong")):
        with pytest.raises(PassphraseWrongError):
            call()
    with pytest.raises(PassphraseWrongError):
        store.replace(OTHER.phrase, "wrong")
    with pytest.raises(PhraseChecksumError):
        store.replace("abandon " * 12, "open")
    assert store.path.read_bytes() == raw
    store.path.write_bytes(raw[:-1])
    with pytest.raises(KeystoreDamagedError):
        store.open("open", GIVEN)
    store.path.write_bytes(seal(b"no phrase at all", "open", salt=bytes(16), cost=CHEAP))
    with pytest.raises(KeystoreDamagedError) as damaged:
        store.open("open", GIVEN)
    assert damaged.value.__cause__ is None


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreFailedError):
        keystore(tmp_path / "missing").open("open", None)


def test_a_replaced_keystore_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    store = keystore(tmp_path)
    store.open("open", GIVEN)
    before = store.path.read_bytes()

    store.replace(OTHER.phrase.upper(), "open")

    assert store.phrase("open") == OTHER.phrase
    [kept] = [each for each in tmp_path.iterdir() if each != store.path]
    assert kept.read_bytes() == before
    assert kept.name.startswith(KEYSTORE)


async def test_a_restored_phrase_has_what_is_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And nothing of the wallet that was there before, whose transactions are forgotten."""
    caplog.set_level(logging.DEBUG)
    store = keystore(tmp_path)
    node = WalletNode(account=store.open("open", GIVEN))
    other = WalletNode(node.world, account=account_of(OTHER.phrase))
    async with node.up() as running:
        await running.settle()
        address = await running.wallet.address()
        await running.extend("paid", node.world.pay(0, Note(70_000, address)))
        assert running.wallet.balances().confirmed == 70_000
        await running.wallet.send([Note(500, address)], request=b"one")
        async with other.up() as there:
            await there.take(*node.world.path(running.follow.tip.id))
            away = await there.wallet.address()
        await running.extend("away", node.world.pay(1, Note(80_000, away)))

        await running.wallet.restore(store, OTHER.phrase, "open")
        with pytest.raises(WalletScanningError):
            running.wallet.balances()
        found = await running.contents()

        assert found["sums"][0] == 80_000
        assert running.wallet.waiting() == []
        assert node.wallets.of("node").drafts == {}
        assert await running.wallet.send([Note(500, away)], request=b"one") is not None
    node.account = store.open("open", GIVEN)
    async with node.up() as running:
        await running.settle()
        assert running.wallet.balances().confirmed == 80_000
    for word in {*GIVEN.phrase.split(), *OTHER.phrase.split()} - {"a"}:
        assert f" {word} " not in caplog.text or len(word) < 4


async def test_a_stop_between_keystore_and_rows_ends_with_the_new_phrase(tmp_path: Path) -> None:
    store = keystore(tmp_path)
    node = WalletNode(account=store.open("open", GIVEN))
    async with node.up() as running:
        await running.settle()
        address = await running.wallet.address()
        await running.extend("paid", node.world.pay(0, Note(70_000, address)))
        await running.wallet.send([Note(500, address)])
    store.replace(OTHER.phrase, "open")
    node.account = store.open("open", GIVEN)

    async with node.up() as running:
        await running.settle()
        assert running.wallet.balances().confirmed == 0
        assert await running.history() == []
        assert node.wallets.of("node").drafts == {}


async def test_the_same_phrase_on_another_machine_has_the_same(tmp_path: Path) -> None:
    node = WalletNode(account=Account(SEED))
    async with node.up() as running:
        await running.settle()
        await running.wallet.send([Note(1_000, await running.wallet.address())])
        await running.extend("with it", *node.pool.taken)
        before = await running.contents()
        blocks = node.world.path(running.follow.tip.id)

    elsewhere = WalletNode(node.world)
    async with elsewhere.up() as running:
        await running.take(*blocks)
        assert await running.contents() == before
        assert before["sums"][0] < sum(OWN)
