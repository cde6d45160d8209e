"""When the mempool has last taken a transaction.

Spec: docs/protocol/chain-http.md, HTP-12.
"""

from collections.abc import Callable

from logos_chain.core.mempool.mempool import Told
from logos_chain.core.mempool.types import Stage
from logos_chain.operations.pooling import MempoolOperations


class LastTaken:
    """Listens to one mempool."""

    def __init__(self, mempool: MempoolOperations, unix_ms: Callable[[], int]) -> None:
        self._unix_ms = unix_ms
        self.at_ms = 0
        """Unix milliseconds; 0: none was taken since this node began."""
        mempool.told.append(self._told)

    def _told(self, told: Told) -> None:
        if told.status.stage is Stage.PENDING:
            self.at_ms = self._unix_ms()
