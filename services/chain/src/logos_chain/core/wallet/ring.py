"""Which public keys and vouchers are a wallet's own, and which come next.

Spec: docs/protocol/chain-wallet.md, WAL-8, WAL-9, WAL-18. Source: LIP-154, draft 1.2.0, One-Time
Note Keys and Wallet Recovery.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from logos_chain.core.wallet.derivation import Account, Role
from logos_chain.core.wallet.errors import (
    KeyUnknownError,
    TooManyPendingError,
    TooManyWatchedError,
)
from logos_chain.core.wallet.state import KeptKeys, WalletState
from logos_mantle.derivations import public_key, voucher_commitment, voucher_nullifier
from logos_mantle.octets import HASH_BYTES

GAP_LIMIT: Final = 20
"""Keys and vouchers in a row without a use, after which a restored wallet looks no further."""

MAX_WATCHED: Final = 1024
"""Keys that a wallet watches at most."""


class KeyRing:
    """The keys of an account, as far as they can have been used, and watched ones."""

    def __init__(self, account: Account | None = None) -> None:
        """Takes an account; None: keys are only watched."""
        self._account = account
        self._places: dict[bytes, tuple[Role, int]] = {}
        self._keys: dict[Role, list[bytes]] = {Role.RECEIVE: [], Role.CHANGE: []}
        self._seen: set[bytes] = set()
        self._used: dict[Role, set[int]] = {Role.RECEIVE: set(), Role.CHANGE: set()}
        self._watched: set[bytes] = set()
        self._next_receive = 0
        self._first_receive = 0
        """Those below were given out on a chain that was given up."""
        for role in self._keys:
            self._extend(role, GAP_LIMIT)

    def __contains__(self, key: object) -> bool:
        return key in self._places or key in self._watched

    def is_watched(self, key: bytes) -> bool:
        """Returns whether a key is the wallet's to look at alone."""
        return key in self._watched and key not in self._places

    def is_own(self, key: bytes) -> bool:
        """Returns whether the wallet has the secret of a key, as far as it looks (WAL-8)."""
        return key in self._places

    @property
    def watched(self) -> frozenset[bytes]:
        """The watched keys, own ones among them."""
        return frozenset(self._watched)

    def watch(self, key: bytes) -> None:
        """Watches a public key, 32 bytes, from the next block on (WAL-9).

        Raises:
            TooManyWatchedError: It would be more than `MAX_WATCHED`.
        """
        if key not in self._watched and len(self._watched) >= MAX_WATCHED:
            raise TooManyWatchedError(f"{MAX_WATCHED} keys are watched already")
        self._watched.add(key)

    def use(self, key: bytes) -> bool:
        """Notes that a key has got a note on this chain; returns whether that is new."""
        place = self._places.get(key)
        if place is None or place[1] in self._used[place[0]]:
            return False
        role, number = place
        self._seen.add(key)
        self._used[role].add(number)
        self._extend(role, number + 1 + GAP_LIMIT)
        return True

    def look_ahead(self, count: int) -> None:
        """Takes the first keys of each role for own ones, however far they lie behind the gap.

        For a wallet that does not see what it has spent before (WAL-31). Derives ten in a
        millisecond.
        """
        for role in self._keys:
            self._extend(role, count)

    def begin_after(self, used: Mapping[Role, int]) -> None:
        """Knows the keys that were in use on a chain that was given up (CON-52).

        Those for change are used again, from the first on: a wallet that is restored finds them.
        Those to be paid to are not given out again. Derives ten in a millisecond.

        Args:
            used: Below which numbers, by role.
        """
        for role, number in used.items():
            self._extend(role, number + GAP_LIMIT)
        self._first_receive = used.get(Role.RECEIVE, 0)
        self._next_receive = max(self._next_receive, self._first_receive)

    def use_all_before(self, keys: Iterable[bytes]) -> None:
        """Takes all keys of a role before those that have got notes for used: they may have been.

        Args:
            keys: Public keys, 32 bytes each, others' among them.
        """
        last: dict[Role, int] = {}
        for role, number in [self._places[each] for each in keys if each in self._places]:
            last[role] = max(number, last.get(role, 0))
        for role, number in last.items():
            for each in self._keys[role][:number]:
                self.use(each)

    def disuse(self, key: bytes) -> None:
        """Takes it back: the block was undone. The key is still not given out before others."""
        role, number = self._places[key]
        self._used[role].discard(number)

    @property
    def owner(self) -> bytes:
        """The first public key, 32 bytes, by which an account is known; zeros: it only watches."""
        return self._keys[Role.RECEIVE][0] if self._account is not None else bytes(HASH_BYTES)

    @property
    def next_receive(self) -> int:
        """The number of the key that is given out next, if it is unused then."""
        return self._next_receive

    def kept(self, undone: Iterable[bytes]) -> dict[Role, KeptKeys]:
        """Returns which keys are used, for `take_up`.

        Args:
            undone: Keys that blocks have used which are not final.
        """
        later = {self._places[each] for each in undone}
        seen = sorted(self._places[each] for each in self._seen)
        return {
            role: KeptKeys(
                tuple([each for each in sorted(used) if (role, each) not in later]),
                tuple([number for one, number in seen if one is role]),
            )
            for role, used in self._used.items()
        }

    def take_up(self, state: WalletState) -> None:
        """Takes what was kept of the same account; takes a millisecond for ten keys."""
        for role, kept in state.keys.items():
            self._extend(role, max(kept.seen, default=-1) + 1 + GAP_LIMIT)
            self._used[role] = set(kept.used)
            self._seen |= {self._keys[role][each] for each in kept.seen}
        self._watched |= set(state.watched)
        self._next_receive = state.next_receive

    def receive_key(self) -> bytes:
        """Returns a public key to be paid to: another one each time, while there are (WAL-8).

        Raises:
            KeyUnknownError: The wallet has no keys of its own.
        """
        fresh = self._fresh(Role.RECEIVE)
        if not fresh:
            raise KeyUnknownError("a wallet that only watches has no key to be paid to")
        later = [
            each
            for each in fresh
            if self._places[each][1] >= self._next_receive and each not in self._seen
        ]
        key = (later or fresh)[0]
        self._next_receive = self._places[key][1] + 1
        return key

    def change_keys(self, count: int, held: AbstractSet[bytes]) -> list[bytes]:
        """Returns the first public keys for change that are neither used nor held.

        Raises:
            KeyUnknownError: The wallet has no keys of its own.
            TooManyPendingError: There are fewer, within the gap.
        """
        if self._account is None:
            raise KeyUnknownError("a wallet that only watches has no key for change")
        fresh = [each for each in self._fresh(Role.CHANGE) if each not in held]
        if len(fresh) < count:
            raise TooManyPendingError("too many transactions wait for their blocks; try later")
        return fresh[:count]

    def secret_key(self, key: bytes) -> bytes:
        """Returns the `ZkSecretKey` of a public key, 32 bytes; raises `KeyUnknownError`."""
        if self._account is None or key not in self._places:
            raise KeyUnknownError("the wallet has no secret of this key")
        return self._account.secret_key(*self._places[key])

    def _fresh(self, role: Role) -> list[bytes]:
        """Returns the unused keys that a restored wallet finds, those of undone blocks last.

        Of those to be paid to, the ones that were not given out on a chain that was given up.
        """
        used = self._used[role]
        first = self._first_receive if role is Role.RECEIVE else 0
        window = self._keys[role][: max(first, max(used, default=-1) + 1) + GAP_LIMIT]
        unused = [window[at] for at in range(first, len(window)) if at not in used]
        return sorted(unused, key=self._seen.__contains__)

    def _extend(self, role: Role, end: int) -> None:
        keys = self._keys[role]
        if self._account is None:
            return
        for number in range(len(keys), end):
            key = public_key(self._account.secret_key(role, number))
            self._places[key] = (role, number)
            keys.append(key)


@dataclass(frozen=True, slots=True)
class Voucher:
    """A voucher of an account, without its secret."""

    number: int
    commitment: bytes
    """32 bytes."""
    nullifier: bytes
    """32 bytes."""


class VoucherRing:
    """The vouchers of an account, as far as they can have been issued (WAL-7)."""

    def __init__(self, account: Account | None = None) -> None:
        self._account = account
        self._known: list[Voucher] = []
        self._by_commitment: dict[bytes, Voucher] = {}
        self._by_nullifier: dict[bytes, Voucher] = {}
        self._next = 0
        self._extend(GAP_LIMIT)

    @property
    def next_number(self) -> int:
        """One past the last that was issued; kept by the caller before a block is released."""
        return self._next

    def issue(self) -> Voucher:
        """Returns the next block's voucher, another one each time; raises `KeyUnknownError`."""
        if self._account is None:
            raise KeyUnknownError("a wallet that only watches issues no vouchers")
        voucher = self._known[self._next]
        self.issued_until(self._next + 1)
        return voucher

    def issued_until(self, number: int) -> None:
        """Takes all vouchers below a number for issued: after a restart, or a scan."""
        self._next = max(self._next, number)
        self._extend(self._next + GAP_LIMIT)

    def look_ahead(self, count: int) -> None:
        """Knows the first vouchers, however far they lie behind the gap (WAL-31)."""
        self._extend(count)

    def by_number(self, number: int) -> Voucher:
        """Returns a voucher that was issued, or one of the next 20."""
        return self._known[number]

    def by_commitment(self, commitment: bytes) -> Voucher | None:
        """Returns the voucher of a block's commitment, if it is the account's."""
        return self._by_commitment.get(commitment)

    def by_nullifier(self, nullifier: bytes) -> Voucher | None:
        """Returns the voucher of a claim's nullifier, if it is the account's."""
        return self._by_nullifier.get(nullifier)

    def secret(self, voucher: Voucher) -> bytes:
        """Returns a voucher's secret, 32 bytes; raises `KeyUnknownError`."""
        if self._account is None:
            raise KeyUnknownError("a wallet that only watches has no vouchers")
        return self._account.voucher_secret(voucher.number)

    def _extend(self, end: int) -> None:
        if self._account is None:
            return
        for number in range(len(self._known), end):
            secret = self._account.voucher_secret(number)
            voucher = Voucher(number, voucher_commitment(secret), voucher_nullifier(secret))
            self._known.append(voucher)
            self._by_commitment[voucher.commitment] = voucher
            self._by_nullifier[voucher.nullifier] = voucher
