"""How a testnet tells what it is doing, to whoever watches."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """One node moved."""

    node: str
    text: str
    done: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """Something that concerns the whole testnet."""

    text: str


Report = Callable[[NodeProgress | Note], None]


def silent(_: NodeProgress | Note) -> None:
    """A report that nobody reads."""
