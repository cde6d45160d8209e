"""Keys and vouchers from a seed: hardened children alone.

Spec: docs/protocol/chain-wallet.md, WAL-4 to WAL-7. Source: LIP-154: 1.1.0 for the
derivation, the draft 1.2.0 for the hierarchy and vouchers.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, Self

from logos_chain.core.wallet.errors import ChildNumberError
from logos_crypto.hashes import FIELD_BYTES, poseidon2_hash
from logos_mantle.derivations import tag

PURPOSE: Final = 154
HARDENED: Final = 1 << 31
"""Children have numbers below it; their index is the number and this."""

_MASTER: Final = b"Logos_MasterKGen"
_CHILD: Final = b"Logos_ExpandSeed"
_SECRET: Final = tag("WALLET_ZK_SK_V1")
_VOUCHER: Final = tag("VOUCHER_SECRET_V1")
_HALF: Final = 16


class Role(IntEnum):
    """What the keys below it are for (WAL-6)."""

    RECEIVE = 0
    CHANGE = 1
    VOUCHER = 2


@dataclass(frozen=True, slots=True)
class ExtendedKey:
    """A private key and its chain code, of which children are derived. Secret."""

    key: bytes = field(repr=False)
    """32 bytes; not a field value."""
    chain_code: bytes = field(repr=False)
    """32 bytes."""

    @classmethod
    def from_seed(cls, seed: bytes) -> Self:
        """Returns the master key of a seed, which usually has 64 bytes (WAL-4)."""
        return cls._of(hashlib.blake2b(seed, person=_MASTER))

    def child(self, number: int) -> Self:
        """Returns a hardened child (WAL-4).

        Args:
            number: 0 to 2**31-1.

        Raises:
            ChildNumberError: It is none of these.
        """
        if not 0 <= number < HARDENED:
            raise ChildNumberError(f"child {number}, there are those from 0 to {HARDENED - 1}")
        index = (HARDENED + number).to_bytes(4, "big")
        return self._of(hashlib.blake2b(self.chain_code + b"\0" + self.key + index, person=_CHILD))

    def descendant(self, numbers: Iterable[int]) -> Self:
        """Returns the child of the child, and so on; raises `ChildNumberError`."""
        found = self
        for number in numbers:
            found = found.child(number)
        return found

    @property
    def secret_key(self) -> bytes:
        """The `ZkSecretKey`, a field value of 32 bytes (WAL-5)."""
        halves = (self.key[:_HALF], self.key[_HALF:])
        return poseidon2_hash([_SECRET, *[each.ljust(FIELD_BYTES, b"\0") for each in halves]])

    @classmethod
    def _of(cls, digest: "hashlib.blake2b") -> Self:
        raw = digest.digest()
        return cls(raw[:32], raw[32:])


class Account:
    """The secret keys of one account. Its representation shows none."""

    def __init__(self, seed: bytes, number: int = 0) -> None:
        """Derives an account of a seed, 64 bytes; raises `ChildNumberError`."""
        account = ExtendedKey.from_seed(seed).descendant((PURPOSE, number))
        self.number = number
        self._roles = {role: account.child(role) for role in Role}
        self._voucher_master = self._roles[Role.VOUCHER].secret_key

    def secret_key(self, role: Role, number: int) -> bytes:
        """Returns the `ZkSecretKey` of a leaf, 32 bytes (WAL-6).

        Raises:
            ChildNumberError: There is no such leaf.
            ValueError: The role has no leaves.
        """
        if role is Role.VOUCHER:
            raise ValueError("vouchers are not leaves")
        return self._roles[role].child(number).secret_key

    def voucher_secret(self, number: int) -> bytes:
        """Returns the secret of a voucher, a field value of 32 bytes (WAL-7).

        Args:
            number: 0 to 2**64-1; of each, at most one block is made.
        """
        place = number.to_bytes(8, "little").ljust(FIELD_BYTES, b"\0")
        return poseidon2_hash([_VOUCHER, self._voucher_master, place])
