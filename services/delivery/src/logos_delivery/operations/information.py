"""What this node is, for people and for other nodes to connect to."""

from collections.abc import Sequence
from dataclasses import dataclass

from logos_delivery.core.ports import Identity
from logos_delivery.operations.own_record import OwnRecord


@dataclass(frozen=True, slots=True)
class NodeInformation:
    """What a node is."""

    peer_id: str
    addresses: Sequence[str]
    """Multiaddresses, with the peer id."""
    enr: str
    """`enr:…`; empty if there is none."""
    enr_missing: str
    """Why there is none, or none that is up to date; empty otherwise."""
    mode: str
    """`core` or `edge`."""
    preset: str
    cluster: int
    shards: int
    version: str


@dataclass(frozen=True, slots=True)
class Information:
    """What is known of this node, and how the rest is asked for."""

    identity: Identity
    own_record: OwnRecord
    mode: str
    preset: str
    cluster: int
    shards: int
    version: str

    async def node(self) -> NodeInformation:
        """Returns what this node is. NetworkUnavailableError."""
        who = await self.identity.identity()
        own = self.own_record
        return NodeInformation(
            who.peer_id,
            who.addresses,
            "" if own.record is None else str(own.record),
            own.why,
            self.mode,
            self.preset,
            self.cluster,
            self.shards,
            self.version,
        )
