"""The node's wallet as its owner sees it: sums, history, rewards, and the phrase.

Spec: docs/protocol/chain-wallet.md, WAL-11, WAL-15, WAL-17, WAL-27.
"""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from logos_chain.core.chain_spec.wallets import SECRET_BYTES
from logos_chain.core.consensus.slots import SlotClock
from logos_chain.core.mempool.types import Stage
from logos_chain.core.wallet.phrase import phrase_of
from logos_chain.core.wallet.types import Balances, Draft, Recorded
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.wallets.keystores import WalletKeystore
from logos_chain.operations.wallets.wallet import WalletOperations

SAFE_BLOCKS: Final = 6
"""So many blocks on top of a transaction make it SAFE (MPL-17)."""


@dataclass(frozen=True, slots=True)
class WalletStanding:
    """All sums, and how far the wallet is."""

    balances: Balances
    """Nothing while the wallet looks through the chain."""
    height: int
    """Of the last block that it has followed, or looked at."""
    scan_target_height: int = 0
    """While it looks through the chain: up to which height; else 0."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where the phrase is, and what opens it."""

    keystore: WalletKeystore = field(repr=False)
    passphrase: str = field(repr=False)


class Purse:
    """The wallet that an owner uses."""

    def __init__(
        self, wallet: WalletOperations, follow: FollowOperations, clock: SlotClock, secrets: Secrets
    ) -> None:
        self.wallet = wallet
        self._follow = follow
        self._clock = clock
        self._secrets = secrets

    def standing(self) -> WalletStanding:
        """Returns all sums; raises `WalletScanningError` before the look through the chain."""
        scanned = self.wallet.scanned
        if scanned is not None:
            final = self._follow.latest_immutable.height
            return WalletStanding(Balances(), scanned, max(final, 1))
        return WalletStanding(self.wallet.balances(), self.wallet.height)

    def outside(self, found: Iterable[Recorded]) -> list[Draft]:
        """Returns the transactions that no block has, the newest first.

        Args:
            found: The newest entries of the history: a block may have come after they were read.
        """
        inside = {each.entry.transaction for each in found}
        return [each for each in reversed(self.wallet.unincluded()) if each.hash not in inside]

    def draft(self, transaction: bytes) -> Draft | None:
        """Returns a transaction that is not final, by its hash."""
        return next((each for each in self.wallet.waiting() if each.hash == transaction), None)

    def stage_at(self, height: int) -> Stage:
        """Returns how far a transaction of a block of the local chain has come."""
        if height <= self._follow.latest_immutable.height:
            return Stage.FINAL
        is_safe = self._follow.tip.height - height >= SAFE_BLOCKS
        return Stage.SAFE if is_safe else Stage.INCLUDED

    def time_ms(self, slot: int) -> int:
        """Returns when a slot began, Unix time."""
        return self._clock.begins_ms(slot)

    async def share(self) -> int:
        """Returns what one claim gets now, before its fee (LED-23)."""
        return (await self._follow.at_tip(lambda ledger: ledger.reward_share)).value

    # -- the phrase ----------------------------------------------------------------------------

    async def phrase(self) -> str:
        """Returns the phrase. Secret. Errors as `WalletKeystore.phrase`."""
        secrets = self._secrets
        return await asyncio.to_thread(secrets.keystore.phrase, secrets.passphrase)

    async def renew(self) -> str:
        """Makes it a wallet of new random words, and returns them. Secret. Errors as `restore`."""
        phrase = phrase_of(os.urandom(SECRET_BYTES))
        await self.restore(phrase)
        return phrase

    async def restore(self, phrase: str) -> None:
        """Makes it the wallet of a phrase, and looks through the chain for it (WAL-27).

        Raises:
            PhraseLengthError, PhraseWordError, PhraseChecksumError: It is no phrase.
            DiskFullError, StoreFailedError: It is the wallet that it was.
        """
        secrets = self._secrets
        await self.wallet.restore(secrets.keystore, phrase, secrets.passphrase)
