"""Claims the rewards of vouchers, when it is asked to or by itself.

Spec: docs/protocol/chain-wallet.md, WAL-15, WAL-29, WAL-30.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from logos_base.errors import LogosError
from logos_base.machine import Answer
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ledger.ledger import Ledger
from logos_chain.core.wallet.claim_timer import ClaimOne, ClaimTimer
from logos_chain.core.wallet.errors import WalletBehindError
from logos_chain.core.wallet.selection import Rng
from logos_chain.core.wallet.types import Draft, Prices
from logos_chain.core.wallet.wallet import Wallet
from logos_chain.operations.following import AtTip, FollowOperations
from logos_chain.operations.wallets.book import WalletBook
from logos_chain.operations.wallets.submitting import TICKET, Asked, Submitter, prices_of
from logos_chain.operations.wallets.tracking import Tracker
from logos_module.driver import Driver

log = logging.getLogger(__name__)

MAX_CLAIMS: Final = 16
"""That are made by one call."""
_ATTEMPTS: Final = 5
"""To catch the chain between two blocks."""

Terms = tuple[bytes, int, Prices]
"""Root of the tree of vouchers, share of the next claim, and prices, all of them at the tip."""


class Claimer:
    """The claims of one wallet."""

    def __init__(
        self,
        book: WalletBook,
        follow: FollowOperations,
        tracker: Tracker,
        submitter: Submitter,
        *,
        mean_ms: int,
        rng: Rng,
        unix_ms: Callable[[], int],
    ) -> None:
        """
        Args:
            book: Of the wallet.
            follow: The chain.
            tracker: Of the wallet.
            submitter: Of the wallet.
            mean_ms: The mean time before a claim that is made by itself; 0: none is.
            rng: Of these times.
            unix_ms: The wall clock.
        """
        self._book = book
        self._follow = follow
        self._tracker = tracker
        self._submitter = submitter
        self._timer = ClaimTimer(mean_ms, rng)
        self._driver: Driver[ClaimOne] = Driver(self._timer, self._perform, unix_ms)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Claims by itself for as long as the context is open."""
        return self._driver.running()

    def look(self) -> None:
        """The chain has moved."""
        self._driver.put(self._timer.seen, self._claimable())

    async def claim(self, count: int) -> list[bytes]:
        """Claims vouchers, each by a transaction; returns their hashes, at least one.

        Args:
            count: At most so many, and at most 16.

        Raises:
            WalletScanningError, WalletBehindError: It cannot be now.
            VoucherUnavailableError, RewardTooSmallError, TooManyPendingError, KeyUnknownError: No
                claim can be made.
            LogosError: The prover failed, or the transaction was refused; it is dropped.
                After the first claim nothing of this is raised: those that were made are returned.
        """
        made: list[bytes] = []
        while len(made) < min(max(count, 1), MAX_CLAIMS):
            try:
                made.append(await self._claim())
            except LogosError as error:
                if not made:
                    raise
                log.info("no more vouchers are claimed", extra={"reason": error.reason})
                break
        return made

    async def _claim(self) -> bytes:
        for _ in range(_ATTEMPTS):
            await self._tracker.catch_up()
            there = await self._follow.at_tip(_terms)
            try:
                return await self._submitter.make(_asking(there))
            except WalletBehindError:
                continue
        raise WalletBehindError("the wallet does not keep up with the chain; try again later")

    def _claimable(self) -> int:
        machine = self._book.machine
        return 0 if machine is None else machine.claimable

    def _perform(self, _effect: ClaimOne) -> None:
        self._driver.start(self._claim_one())

    async def _claim_one(self) -> None:
        try:
            await self._claim()
        except LogosError as error:
            log.info("no voucher was claimed", extra={"error": str(error)})
        self._driver.report(self._timer.claimed, self._claimable())


def _terms(ledger: Ledger) -> Terms:
    return ledger.head.voucher_root, ledger.reward_share, prices_of(ledger)


def _asking(there: AtTip[Terms]) -> Callable[[Wallet, int], Asked]:
    root, share, prices = there.value

    def ask(machine: Wallet, now_ms: int) -> Asked:
        if BlockId(machine.tip) != there.tip:
            raise WalletBehindError("the wallet is not where the chain is")
        effects = machine.claim(TICKET, root=root, share=share, prices=prices, now_ms=now_ms)
        [number] = [
            each.value.voucher
            for each in effects
            if isinstance(each, Answer) and isinstance(each.value, Draft)
        ]
        return Asked(effects, None if number is None else machine.voucher_path(number))

    return ask
