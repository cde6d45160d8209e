"""What the nodes of one registry agree on, and the channel that follows from it.

Spec: docs/protocol/rln-registry.md, RLC-1, RLC-2.
"""

from dataclasses import dataclass
from typing import Final

from logos_mantle.channels import ChannelConfig
from logos_mantle.derivations import blake2b

MAX_MEMBERS: Final = 65_536
"""Of the 2^20 leaves of the tree: so many are kept in memory, some 30 MiB."""

_CHANNEL_TAG: Final = b"LOGOS_RLN_REGISTRY_V1"
_NO_KEEPER: Final = blake2b(b"LOGOS_RLN_REGISTRY_V1_NO_KEEPER")


@dataclass(frozen=True, slots=True)
class RegistryRules:
    """Other rules are another registry, in another channel."""

    genesis: bytes
    """Id of the genesis block, 32 bytes."""
    limit: int
    """Messages of a member in an epoch, 1 to 65,535 (RLN-2)."""
    stake: int
    """The least value of a registration's deposit, above 0, 64 bits."""
    keeper: bytes | None = None
    """Ed25519 key that disposes of the stakes, 32 bytes; None: none does, they stay for good."""
    max_members: int = MAX_MEMBERS
    """Fewer in tests alone: it is in no id."""

    @property
    def key(self) -> bytes:
        """The channel's key: the keeper's, or a hash that is the key of no secret."""
        return _NO_KEEPER if self.keeper is None else self.keeper

    @property
    def channel(self) -> bytes:
        """The channel's id, 32 bytes."""
        limit, stake = self.limit.to_bytes(2, "little"), self.stake.to_bytes(8, "little")
        return blake2b(_CHANNEL_TAG, self.genesis, limit, stake, self.key)

    @property
    def beginning(self) -> ChannelConfig:
        """The configuration that the channel begins with."""
        return ChannelConfig(
            channel=self.channel,
            keys=(self.key,),
            posting_timeframe_slots=0,
            posting_timeout_slots=0,
            configuration_threshold=1,
            transfer_threshold=1,
        )
