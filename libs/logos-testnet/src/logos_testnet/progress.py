"""Progress events of a testnet."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeProgress:
    """Progress of one node."""

    node: str
    text: str
    done: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """Progress of the whole testnet."""

    text: str


Report = Callable[[NodeProgress | Note], None]


def silent(_: NodeProgress | Note) -> None:
    """Discards progress events."""
