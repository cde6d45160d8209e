"""Starts the libp2p host with the numbers of docs/protocol/network.md."""

import logging
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final, Literal

from logos_base.errors import ErrorKind, LogosError
from logos_mixnet.core.addresses import Address
from logos_mixnet.core.advertisements import RECORD_TTL_S
from logos_mixnet.core.gossip import MAX_MESSAGE_BYTES
from logos_native import Host, peer_id_of

log = logging.getLogger(__name__)

NEVER_S: Final = 10 * 365 * 24 * 3600
"""The host's own republishing; this module's schedule does it instead (NET-12)."""
IDLE_S: Final = 24 * 3600
"""Nodes stay connected whether or not they have something to say."""
CONNECTIONS_PER_PEER: Final = 4
"""Two nodes that dial each other at once make two; a restart leaves old ones for a while."""


class ListenError(LogosError):
    """The host cannot listen where it should."""

    kind = ErrorKind.FAILED_PRECONDITION
    reason = "ADDRESS_IN_USE"


def peer_id(secret: bytes, key_type: Literal["secp256k1", "ed25519"]) -> str:
    """Returns the peer id of a secret key (NET-1)."""
    return peer_id_of(secret, key_type)


def start_host(
    *,
    secret: bytes,
    key_type: Literal["secp256k1", "ed25519"],
    listen: Sequence[Address],
    gossip_protocol: str,
    kademlia_protocol: str,
    max_peers: int,
    max_streams: int,
) -> Host:
    """Starts a host, or raises `ListenError`."""
    try:
        return Host(
            secret_key=secret,
            key_type=key_type,
            listen_addresses=[address.transport for address in listen],
            agent=f"logos-mixnet/{version('logos-mixnet')}",
            gossip_protocol=gossip_protocol,
            kademlia_protocol=kademlia_protocol,
            provider_record_ttl_s=RECORD_TTL_S,
            provider_publication_interval_s=NEVER_S,
            max_connections=max_peers * 2,
            max_connections_per_peer=CONNECTIONS_PER_PEER,
            max_streams=max_streams,
            max_message_bytes=MAX_MESSAGE_BYTES,
            idle_connection_timeout_s=IDLE_S,
        )
    except OSError as error:
        wanted = ", ".join(address.transport for address in listen)
        raise ListenError(f"cannot listen at {wanted}: {error}") from error
