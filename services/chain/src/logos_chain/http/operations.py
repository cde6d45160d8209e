"""What the routes call. This file loads no web framework (docs/adr/0033)."""

from dataclasses import dataclass

from logos_chain.core.consensus.slots import SlotClock
from logos_chain.core.net_ports import NetworkInformation
from logos_chain.operations.block_ranges import BlockRanges
from logos_chain.operations.exploring import ExploreOperations
from logos_chain.operations.following import FollowOperations
from logos_chain.operations.information import Information
from logos_chain.operations.pool_times import LastTaken
from logos_chain.operations.pooling import MempoolOperations
from logos_chain.operations.transactions import TransactionOperations
from logos_chain.operations.wallets.purse import Purse
from logos_chain.operations.watching import WatchOperations


@dataclass(frozen=True, slots=True)
class Operations:
    """What the routes call."""

    follow: FollowOperations
    explore: ExploreOperations
    ranges: BlockRanges
    watch: WatchOperations
    mempool: MempoolOperations
    taken: LastTaken
    transactions: TransactionOperations
    information: Information
    clock: SlotClock
    purse: Purse
    network: NetworkInformation
    version: str
    """Of the module."""
