"""What the nodes of one chain call their topics, and their protocol for the synchronisation.

Topics carry the hash of the chain's specification: nodes of two chains never hear each other, even
if their genesis blocks are the same.

Spec: docs/protocol/chain-network.md, CNW-1, CNW-10; chain-genesis.md, GEN-14.
"""

from dataclasses import dataclass
from typing import Final, Self

from logos_chain.core.consensus.sync.messages import PROTOCOL, TESTNET_PROTOCOL

SPEC_HASH_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class ChainTopics:
    """The topics of one chain."""

    proposals: str
    transactions: str

    @classmethod
    def of(cls, spec_hash: bytes) -> Self:
        """Returns the topics of a chain; its specification's hash has 32 bytes."""
        if len(spec_hash) != SPEC_HASH_BYTES:
            raise ValueError(f"a hash of {len(spec_hash)} bytes")
        chain = spec_hash.hex()
        return cls(f"/cryptarchia/proto/{chain}", f"/mantle/proto/{chain}")


def sync_protocol(*, is_testnet: bool = True) -> str:
    """Returns the protocol id under which blocks are synchronised (CON-40)."""
    return TESTNET_PROTOCOL if is_testnet else PROTOCOL
