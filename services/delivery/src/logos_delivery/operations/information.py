"""What this node is, for people and for other nodes to connect to."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeInformation:
    """What a node is."""

    peer_id: str
    addresses: Sequence[str]
    """Multiaddresses, with the peer id."""
    enr: str
    """`enr:…`; empty if there is none."""
    mode: str
    """`core` or `edge`."""
    preset: str
    cluster: int
    shards: int
    version: str


@dataclass(frozen=True, slots=True)
class Information:
    """What is known of this node, and how the rest is asked for."""

    identity: Callable[[], Awaitable[tuple[str, Sequence[str]]]]
    """Returns its peer id and its addresses. NetworkUnavailableError."""
    mode: str
    preset: str
    cluster: int
    shards: int
    version: str
    enr: str = ""
    """`enr:…`; empty if there is none."""

    async def node(self) -> NodeInformation:
        """Returns what this node is. NetworkUnavailableError."""
        peer_id, addresses = await self.identity()
        return NodeInformation(
            peer_id,
            addresses,
            self.enr,
            self.mode,
            self.preset,
            self.cluster,
            self.shards,
            self.version,
        )
