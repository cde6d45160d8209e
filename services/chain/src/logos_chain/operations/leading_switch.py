"""The operator's switch of leading, which outlives the process.

Spec: docs/protocol/chain-leading.md, LEA-1.
"""

from typing import Final, Protocol

from logos_chain.core.node_ports import NodeMarks

LEADING_MARK: Final = "is_leading"
"""1 or 0; as the setting says if it was never put."""


class Switch(Protocol):
    """`LeadOperations.switch`."""

    def __call__(self, *, is_on: bool) -> None: ...


class LeadingSwitch:
    """Whether the operator wants the node to lead."""

    def __init__(self, marks: NodeMarks, switch: Switch, *, is_on: bool = True) -> None:
        """
        Args:
            marks: Of the node.
            switch: What is to be switched; it is on.
            is_on: Whether the node leads until an operator has said otherwise.
        """
        self._marks = marks
        self._switch = switch
        self.is_on = is_on

    async def restore(self) -> None:
        """Switches as it was left at the last stop; raises StoreFailedError."""
        found = await self._marks.number(LEADING_MARK)
        self._turn(is_on=self.is_on if found is None else bool(found))

    async def turn(self, *, is_on: bool) -> None:
        """Switches durably. Switching off takes effect at once, even if the write fails.

        Raises:
            DiskFullError, StoreFailedError: It is not durable; what was to be on is not.
        """
        if not is_on:
            self._turn(is_on=False)
        await self._marks.put(LEADING_MARK, int(is_on))
        if is_on:
            self._turn(is_on=True)

    def _turn(self, *, is_on: bool) -> None:
        self.is_on = is_on
        self._switch(is_on=is_on)
