"""`Rehearse` of the mempool: on the ledger that it is shown for one piece of work.

Spec: docs/protocol/chain-mempool.md, MPL-2, MPL-21.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from logos_chain.core.consensus.epochs import epoch_at
from logos_chain.core.consensus.parameters import Parameters
from logos_chain.core.consensus.slots import SlotClock
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.ledger.ledger import Admitted, Ledger, Refused
from logos_mantle.transactions import SignedTransaction


class TipRehearsal:
    """The ledger at the tip, for a block of the present slot. In the ledger's thread only."""

    def __init__(self, parameters: Parameters, clock: SlotClock) -> None:
        """Takes those of the network."""
        self._parameters = parameters
        self._clock = clock
        self._there: tuple[Ledger, TreeBlock] | None = None

    @contextmanager
    def on(self, ledger: Ledger, tip: TreeBlock) -> Iterator[None]:
        """Rehearses on this ledger for as long as the context is open."""
        self._there = (ledger, tip)
        try:
            yield
        finally:
            self._there = None

    def __call__(
        self, transactions: Sequence[SignedTransaction], now_ms: int
    ) -> list[Admitted | Refused]:
        if self._there is None:
            raise RuntimeError("a rehearsal without a ledger")
        ledger, tip = self._there
        slot = max(self._clock.slot_at(now_ms), ledger.head.slot + 1, tip.slot + 1)
        epoch = epoch_at(self._parameters, tip.state, slot)
        return ledger.rehearse(transactions, slot=slot, epoch=epoch)
