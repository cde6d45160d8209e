"""Brings a wallet to where the chain is, and keeps it before blocks become final.

Spec: docs/protocol/chain-wallet.md, WAL-10, WAL-22, WAL-26, WAL-31; chain-following.md, FOL-17,
FOL-19.
"""

import asyncio
import logging
from functools import partial
from typing import Final

from logos_chain.core.branch import Walk
from logos_chain.core.consensus.types import BlockId
from logos_chain.core.ports import ChainStore, ChainStoreDamagedError
from logos_chain.core.wallet.beginnings import LOOK_AHEAD, Beginning
from logos_chain.core.wallet.derivation import Account
from logos_chain.core.wallet.types import Recorded
from logos_chain.core.wallet.wallet import Wallet
from logos_chain.operations.chain_events import BlocksFinal, EventsLost, Listener
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.opening import Network
from logos_chain.operations.wallets.book import WalletBook
from logos_chain.operations.wallets.scanning import KEPT_PAGES, Scan
from logos_mantle.octets import ZERO

log = logging.getLogger(__name__)

STRIDE: Final = 64
"""Blocks that are followed before others get their turn."""


class Tracker:
    """Where a wallet stands on the chain."""

    def __init__(
        self, book: WalletBook, follow: FollowOperations, store: ChainStore, network: Network
    ) -> None:
        self._book = book
        self._follow = follow
        self._store = store
        self._network = network
        self._passed: BlockId | None = None
        """The last block of which it was said that it is about to be final."""
        self._scan: Scan | None = None
        self._is_beginning = False

    @property
    def scanned(self) -> int | None:
        """The height up to which the chain was looked through; None: that is not going on."""
        if self._is_beginning:
            return 0
        return None if self._scan is None else self._scan.height

    async def open(self) -> None:
        """Takes up what is kept for the newest block that is final on disk. Before the chain runs.

        Raises:
            DiskFullError, StoreFailedError.
        """
        block = self._follow.latest_immutable.id
        while not self._store.is_final(block):  # found to be final while the chain was taken up
            kept = await self._store.block(block)
            if kept is None:
                return
            block = kept.parent
        await self._book.load(block)

    async def prepare(self, final: tuple[BlockId, ...]) -> None:
        """Follows blocks that are about to be final, and keeps the wallet (FOL-19).

        Raises:
            DiskFullError, StoreFailedError: It is asked again.
        """
        book = self._book
        async with book.lock:
            self._passed = final[-1]
            machine = book.machine
            if machine is None:
                return  # the scan will come to it
            root = BlockId(machine.final[0])
            new = final[final.index(root) + 1 :] if root in final else final
            for each in new:
                if not machine.is_followed(each) and not await self._apply(machine, each):
                    log.error("a wallet has missed blocks, and looks through the chain again")
                    book.machine = None
                    return
            if new:
                book.obey(machine.finalised(new[-1], book.unix_ms()))
            await book.keep(machine)

    # -- following -----------------------------------------------------------------------------

    @property
    def is_at_tip(self) -> bool:
        """Whether the wallet has followed the whole local chain."""
        machine = self._book.machine
        return machine is not None and machine.tip == self._follow.tip.id

    async def catch_up(self) -> None:
        """Follows blocks up to the tip; others get their turn in between.

        Where the way leads over blocks that are about to be final, `prepare` goes it.
        Raises StoreFailedError.
        """
        while await self._stride():
            pass

    async def _stride(self) -> bool:
        """Follows some blocks towards the tip; returns whether there are more."""
        book = self._book
        async with book.lock:
            machine = book.machine
            if machine is None:
                return False
            now_ms = book.unix_ms()
            book.obey(machine.tick(now_ms))
            way = self._way(machine, self._follow.tip.id)
            if way is None:
                return False
            for block in way.undone:
                book.obey(machine.undone(block, now_ms))
            for block in way.done[:STRIDE]:
                if not await self._apply(machine, block):
                    return False
            return len(way.done) > STRIDE

    def _way(self, machine: Wallet, tip: BlockId) -> Walk | None:
        """Returns the way to the tip; None if none is known."""
        try:
            return self._follow.way(BlockId(machine.tip), tip)
        except LookupError:
            pass  # the wallet stands on a fork that was cut off
        line = (root := self._follow.latest_immutable.id, *self._follow.way(root, tip).done)
        known = [at for at, each in enumerate(line) if machine.is_followed(each)]
        if not known:
            return None
        undone = [BlockId(each) for each in machine.since(line[known[-1]])]
        return Walk(tuple(undone), line[known[-1] + 1 :])

    async def _apply(self, machine: Wallet, block: BlockId) -> bool:
        """Follows a block; False: it is cut off by now, or its parent was not followed."""
        changes = await self._follow.changes(block)
        if changes is None or not machine.is_followed(changes.parent):
            return False
        book, now_ms = self._book, self._book.unix_ms()
        while machine.tip != changes.parent:
            book.obey(machine.undone(machine.tip, now_ms))
        book.obey(machine.applied(changes, now_ms))
        return True

    # -- scanning ------------------------------------------------------------------------------

    async def scan(self, heard: Listener) -> None:
        """Looks through the final chain from the genesis on, until the wallet is at its end.

        Where the chain begins with a checkpoint, the wallet takes what the newest final block has
        (WAL-31). It ends before that if the wallet becomes another one.

        Raises:
            ChainStoreDamagedError, DiskFullError, StoreFailedError.
        """
        if self._follow.imported is not None:
            await self._begin_within(heard)
            return
        book = self._book
        account = book.account
        make = partial(Scan, self._store, self._network, book.fresh, book.unix_ms)
        try:
            self._scan = scan = await asyncio.to_thread(make)
            async with book.lock:
                if book.account is account:
                    await book.begin(scan.wallet, scan.take())
            while book.account is account and not await self._is_at_end(scan, account):
                while not isinstance(await heard.next(), (BlocksFinal, EventsLost)):
                    pass
        finally:
            self._scan = None

    async def _begin_within(self, heard: Listener) -> None:
        book = self._book
        account = book.account
        self._is_beginning = True
        try:
            machine = await asyncio.to_thread(self._ahead)
            while book.account is account and not await self._has_begun(machine, account):
                while not isinstance(await heard.next(), (BlocksFinal, EventsLost)):
                    pass
        finally:
            self._is_beginning = False

    def _ahead(self) -> Wallet:
        machine = self._book.fresh(tip=ZERO, height=-1)
        machine.look_ahead(LOOK_AHEAD)
        return machine

    async def _has_begun(self, machine: Wallet, account: Account | None) -> bool:
        """Takes what there is at the newest final block, unless another is about to follow it."""
        book, look = (
            self._book,
            partial(Beginning.of, keys=machine.keys, vouchers=machine.voucher_ring),
        )
        found = await self._follow.at_final(look)
        block = await self._store.outline(BlockId(found.changes.block))
        if block is None:
            raise ChainStoreDamagedError("the newest final block is missing")
        async with book.lock:
            is_behind = self._passed not in {None, block.id}
            if is_behind or book.account is not account:
                return False
            effects = machine.begin_within(found, block.height, book.unix_ms())
            await book.begin(machine, [each for each in effects if isinstance(each, Recorded)])
            await book.take_up(machine)
            return True

    async def _is_at_end(self, scan: Scan, account: Account | None) -> bool:
        """Scans up to the last final block; returns whether none is about to follow it."""
        pages = 0
        while await scan.page():
            pages += 1
            if pages % KEPT_PAGES == 0:
                await self._keep(scan, account)
        async with self._book.lock:
            is_behind = self._passed not in {None, scan.wallet.final[0]}
            if is_behind or self._book.account is not account:
                return False
            await self._book.keep(scan.wallet, scan.take())
            await self._book.take_up(scan.wallet)
            return True

    async def _keep(self, scan: Scan, account: Account | None) -> None:
        async with self._book.lock:
            if self._book.account is account:
                await self._book.keep(scan.wallet, scan.take())
