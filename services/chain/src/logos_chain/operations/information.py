"""Where the chain and this node stand, as one answer for people."""

from collections.abc import Callable
from dataclasses import dataclass

from logos_chain.core.chain_spec.spec import ChainSpec
from logos_chain.core.consensus.epochs import EpochState
from logos_chain.core.consensus.slots import SlotClock
from logos_chain.core.consensus.starting import Phase
from logos_chain.core.consensus.tree import TreeBlock
from logos_chain.core.leading import Counts, Idle, Missed, Proposed, Standing
from logos_chain.core.ports import Imported
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.leading import LeadOperations
from logos_chain.operations.pooling import MempoolOperations
from logos_chain.operations.starting import StartOperations
from logos_chain.operations.syncing import SyncOperations


@dataclass(frozen=True, slots=True)
class Leadership:
    """Whether this node leads, and what became of the slots that it won."""

    standing: Standing
    counts: Counts
    last_proposed: Proposed | None
    last_missed: Missed | None

    @property
    def is_switched_off(self) -> bool:
        """Whether an operator has."""
        return self.standing.idle is Idle.SWITCHED_OFF


@dataclass(frozen=True, slots=True)
class NodeStanding:
    """The answer."""

    spec: ChainSpec
    phase: Phase
    online_at_ms: int | None
    slot: int
    """The present one, by this node's clock; 0 before the genesis."""
    tip: TreeBlock
    final: TreeBlock
    epoch: EpochState
    """Of the present slot on the local chain."""
    leadership: Leadership
    mempool_transactions: int
    mempool_bytes: int
    downloaded_blocks: int
    download_target_slot: int
    diverged_peers: int
    imported: Imported | None
    """The checkpoint that the chain was begun with here."""


class Information:
    """Looks at the operations of one node."""

    def __init__(
        self,
        spec: ChainSpec,
        clock: SlotClock,
        unix_ms: Callable[[], int],
        *,
        follow: FollowOperations,
        start: StartOperations,
        sync: SyncOperations,
        lead: LeadOperations,
        mempool: MempoolOperations,
    ) -> None:
        self.spec = spec
        self._clock = clock
        self._unix_ms = unix_ms
        self._follow = follow
        self._start = start
        self._sync = sync
        self._lead = lead
        self._mempool = mempool

    @property
    def phase(self) -> Phase:
        """How far this node has come."""
        return self._start.phase

    @property
    def is_before_genesis(self) -> bool:
        """Whether slot 0 has not begun, by this node's clock."""
        return self._clock.slot_at(self._unix_ms()) < 0

    @property
    def block_ms(self) -> float:
        """Between two blocks, as wanted."""
        parameters = self.spec.consensus
        return float(parameters.slot_ms / parameters.activation)

    def now(self) -> NodeStanding:
        """Returns where everything stands."""
        tip = self._follow.tip
        slot = max(0, self._clock.slot_at(self._unix_ms()))
        progress, lead = self._sync.progress, self._lead
        return NodeStanding(
            spec=self.spec,
            phase=self._start.phase,
            online_at_ms=self._start.online_at_ms,
            slot=slot,
            tip=tip,
            final=self._follow.latest_immutable,
            epoch=self._follow.epoch_at(max(slot, tip.slot)),
            leadership=Leadership(lead.standing, lead.counts, lead.last_proposed, lead.last_missed),
            mempool_transactions=self._mempool.count,
            mempool_bytes=self._mempool.size_bytes,
            downloaded_blocks=0 if progress is None else progress.blocks,
            download_target_slot=(None if progress is None else progress.target_slot) or 0,
            diverged_peers=self._sync.diverged,
            imported=self._follow.imported,
        )

    def final_in_ms(self, confirmations: int) -> int:
        """Returns about how long it takes until a block of the local chain is final.

        Args:
            confirmations: Blocks from it on, it included.

        Returns:
            0 as long as no block becomes final, while the node bootstraps.
        """
        if self.phase is not Phase.LISTENING:
            return 0
        missing = self.spec.consensus.security_blocks + 1 - confirmations
        return round(max(missing, 0) * self.block_ms)
