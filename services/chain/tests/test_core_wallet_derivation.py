"""Keys and vouchers of a seed: the published vectors (WAL-4 to WAL-7)."""

import json
from pathlib import Path
from typing import Any

import pytest

from logos_chain.core.wallet.derivation import Account, ExtendedKey, Role
from logos_chain.core.wallet.errors import ChildNumberError
from logos_chain.core.wallet.phrase import seed_of
from logos_mantle.derivations import public_key, voucher_commitment, voucher_nullifier

VECTORS = json.loads(
    (Path(__file__).parents[3] / "vectors/logos-lips/wallet.json").read_text(encoding="utf-8")
)
SEED = bytes.fromhex(VECTORS["seed"])


@pytest.mark.vectors
def test_the_master_key_agrees() -> None:
    master = ExtendedKey.from_seed(seed_of(VECTORS["phrase"]))

    assert seed_of(VECTORS["phrase"]) == SEED
    assert master.key.hex() == VECTORS["master"]["key"]
    assert master.chain_code.hex() == VECTORS["master"]["chain_code"]


@pytest.mark.vectors
@pytest.mark.parametrize("leaf", VECTORS["leaves"], ids=lambda leaf: leaf["id"])
def test_leaves_agree(leaf: dict[str, Any]) -> None:
    found = ExtendedKey.from_seed(SEED).descendant(leaf["path"])

    assert found.key.hex() == leaf["key"]
    assert found.chain_code.hex() == leaf["chain_code"]
    assert found.secret_key.hex() == leaf["secret_key"]
    if "public_key" in leaf:
        _, account, role, number = leaf["path"]
        secret = Account(SEED, account).secret_key(Role(role), number)
        assert public_key(secret).hex() == leaf["public_key"]


@pytest.mark.vectors
@pytest.mark.parametrize("number", range(len(VECTORS["vouchers"])))
def test_vouchers_agree(number: int) -> None:
    secret = Account(SEED).voucher_secret(number)

    assert secret.hex() == VECTORS["vouchers"][number]["secret"]
    assert voucher_commitment(secret).hex() == VECTORS["vouchers"][number]["commitment"]
    assert voucher_nullifier(secret).hex() == VECTORS["vouchers"][number]["nullifier"]


@pytest.mark.parametrize("number", [-1, 2**31, 2**32])
def test_there_are_no_other_children(number: int) -> None:
    with pytest.raises(ChildNumberError):
        ExtendedKey.from_seed(SEED).child(number)


def test_accounts_and_roles_share_no_key() -> None:
    keys = {
        Account(SEED, account).secret_key(role, number)
        for account in range(2)
        for role in (Role.RECEIVE, Role.CHANGE)
        for number in range(3)
    }

    assert len(keys) == 12
    with pytest.raises(ValueError, match="not leaves"):
        Account(SEED).secret_key(Role.VOUCHER, 0)


def test_representations_hold_no_secret() -> None:
    master = ExtendedKey.from_seed(SEED)
    shown = repr(master) + str(master) + repr(Account(SEED))

    for secret in (master.key, master.chain_code, master.secret_key):
        assert secret.hex() not in shown
        assert repr(secret) not in shown
