"""What an operator has switched, which lasts over restarts.

Spec: docs/protocol/chain-leading.md, LEA-1.
"""

from typing import Final

from logos_chain.core.node_ports import NodeMarks
from logos_chain.operations.leading import LeadOperations

_LEADING: Final = "leading"


class SwitchOperations:
    """The switches of one node."""

    def __init__(self, marks: NodeMarks, lead: LeadOperations, *, is_on: bool) -> None:
        """
        Args:
            marks: Of the node.
            lead: Of the node.
            is_on: Whether it leads until an operator has said otherwise: the setting.
        """
        self._marks = marks
        self._lead = lead
        self._is_on = is_on

    async def resume(self) -> None:
        """Switches as an operator did before; raises DiskFullError, StoreFailedError."""
        found = await self._marks.number(_LEADING)
        self._lead.switch(is_on=self._is_on if found is None else bool(found))

    async def lead(self, *, is_on: bool) -> None:
        """Switches leading on or off, durably; raises DiskFullError, StoreFailedError."""
        await self._marks.put(_LEADING, int(is_on))
        self._lead.switch(is_on=is_on)
