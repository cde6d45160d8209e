"""Looks through the final chain for what a wallet has: after it was restored, or lost its state.

The blocks are executed once more, in a worker thread and on a ledger of their own, since what they
have changed is not kept. Their proofs were verified before.

Spec: docs/protocol/chain-wallet.md, WAL-18, WAL-26.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from logos_chain.core.consensus.epochs import epoch_at, extend, genesis_state
from logos_chain.core.ledger.ledger import Applied, Ledger
from logos_chain.core.ports import ChainStore, ChainStoreDamagedError, KeptBlock
from logos_chain.core.wallet.types import BlockChanges, Recorded
from logos_chain.core.wallet.wallet import Wallet
from logos_chain.operations.opening import PAGE_BLOCKS, Network
from logos_mantle.blocks import Block
from logos_mantle.errors import MalformedError

KEPT_PAGES: Final = 16
"""After so many pages, what was found is kept."""


class Begin(Protocol):
    """Makes a wallet that has seen nothing."""

    def __call__(self, *, tip: bytes, height: int) -> Wallet:
        """Returns a wallet after a block."""
        ...


class Scan:
    """One pass over the final chain. Memory: a ledger, and 32 MiB of blocks."""

    def __init__(
        self, store: ChainStore, network: Network, begin: Begin, unix_ms: Callable[[], int]
    ) -> None:
        """Makes a ledger of the genesis; blocks.

        Args:
            store: Of the chain.
            network: Whose chain it is.
            begin: Makes the wallet.
            unix_ms: The wall clock.
        """
        genesis = network.genesis
        self._store = store
        self._parameters = network.parameters
        self._unix_ms = unix_ms
        self._ledger = Ledger.from_genesis(network.ledger, genesis)
        nonce, stake = genesis.parameters.epoch_nonce_value, self._ledger.head.genesis
        self._state = genesis_state(self._ledger.root, nonce, stake)
        self._found: list[Recorded] = []
        self.wallet = begin(tip=genesis.block.header.parent, height=-1)
        self._follow(BlockChanges.of_genesis(genesis, self._ledger.state.notes.items()))

    @property
    def height(self) -> int:
        """Of the last block that was looked at."""
        return self.wallet.height

    async def page(self) -> bool:
        """Looks at some more blocks; returns False once there are none.

        Raises:
            ChainStoreDamagedError, DiskFullError, StoreFailedError: It can be called again.
        """
        ids = await self._store.final(self.height + 1, PAGE_BLOCKS)
        blocks = [each for each in [await self._store.block(each) for each in ids] if each]
        if len(blocks) < len(ids):
            raise ChainStoreDamagedError("the store names final blocks that it does not have")
        await asyncio.to_thread(self._execute, blocks)
        return bool(ids)

    def take(self) -> list[Recorded]:
        """Returns the entries of the history that were found since the last time."""
        found, self._found = self._found, []
        return found

    def _execute(self, blocks: Sequence[KeptBlock]) -> None:
        for kept in blocks:
            try:
                block = Block.decode(kept.raw)
            except MalformedError as error:
                raise ChainStoreDamagedError("a final block does not decode") from error
            self._apply(block)

    def _apply(self, block: Block) -> None:
        header, ledger = block.header, self._ledger
        applied = ledger.apply(
            block.transactions,
            slot=header.slot,
            epoch=epoch_at(self._parameters, self._state, header.slot),
            voucher=header.leadership.voucher,
        )
        if not isinstance(applied, Applied):
            raise ChainStoreDamagedError(f"a final block does not execute: {applied.reason}")
        ledger.settle(applied.delta)
        self._state = extend(
            self._parameters,
            self._state,
            slot=header.slot,
            entropy=header.leadership.entropy,
            ledger_root=ledger.root,
            uncle_slots=[each.header.slot for each in block.uncles],
        )
        self._follow(
            BlockChanges.of(
                block.id,
                header.parent,
                voucher=header.leadership.voucher,
                transactions=block.transactions,
                applied=applied,
            )
        )

    def _follow(self, changes: BlockChanges) -> None:
        now_ms = self._unix_ms()
        self.wallet.applied(changes, now_ms)
        effects = self.wallet.finalised(changes.block, now_ms)
        self._found += [each for each in effects if isinstance(each, Recorded)]
