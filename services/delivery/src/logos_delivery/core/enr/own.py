"""What this node says about itself in its record.

Spec: docs/protocol/delivery-light.md, DLC-38. Source: EIP-778, 31/WAKU2-ENR.
"""

import hashlib
import ipaddress
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from logos_crypto import node_record
from logos_crypto.node_record import MAX_SEQUENCE, SCHEME
from logos_delivery.core.enr import multiaddress, record
from logos_delivery.core.enr.errors import EnrTooLargeError, MultiaddressMalformedError
from logos_delivery.core.enr.fields import Capability, NodeFields
from logos_delivery.core.enr.shards import RelayShards

_PARTS: Final = 5
"""`/ip4/127.0.0.1/tcp/1` split at the slashes: an empty part and four more."""


def own_fields(
    addresses: Sequence[str], capabilities: Capability, shards: RelayShards | None
) -> NodeFields:
    """Returns what a node says that is reached at some multiaddresses, best first.

    The first TCP address of IPv4 and that of IPv6 have fields of their own; what these cannot
    say is among the multiaddresses. One that is not known here is left out.
    """
    said = NodeFields(capabilities=capabilities, shards=shards)
    others: list[str] = []
    for address in map(multiaddress.without_peer_id, addresses):
        kind, host, port = _tcp(address)
        if kind == "ip4" and said.ip is None:
            said = replace(said, ip=ipaddress.IPv4Address(host), tcp=port)
        elif kind == "ip6" and said.ip6 is None:
            said = replace(said, ip6=ipaddress.IPv6Address(host), tcp6=port)
        else:
            with suppress(MultiaddressMalformedError):
                multiaddress.to_bytes(address)
                others.append(address)
    if said.tcp6 is not None and said.tcp6 == said.tcp:
        said = replace(said, tcp6=None)
    return replace(said, multiaddrs=tuple(others))


def own_content(public_key: bytes, sequence: int, said: NodeFields) -> bytes:
    """Returns what is signed; multiaddresses that do not fit are left out, the last first.

    Raises:
        EnrTooLargeError: It does not fit without them.
    """
    while True:
        try:
            return record.content(public_key, sequence, said.pairs())
        except EnrTooLargeError:
            if not said.multiaddrs:
                raise
            said = replace(said, multiaddrs=said.multiaddrs[:-1])


def mark_of(public_key: bytes, said: NodeFields) -> int:
    """Returns 63 bits that another content has not: as a number, for what is remembered."""
    pairs = {**said.pairs(), node_record.ID: SCHEME, node_record.KEY: public_key}
    digest = hashlib.sha256(node_record.content(0, pairs)).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def next_sequence(last: int | None, unix_ms: int) -> int:
    """Returns the number of new content: above the last one, and the time where that is more.

    So a node that has lost what it remembers is believed once more.
    """
    return min(max((last or 0) + 1, unix_ms), MAX_SEQUENCE)


def _tcp(address: str) -> tuple[str, str, int]:
    """Splits `/ip4|ip6/HOST/tcp/PORT`; ("", "", 0) for anything else."""
    parts = address.split("/")
    if len(parts) != _PARTS or parts[3] != "tcp":
        return "", "", 0
    try:
        ipaddress.ip_address(parts[2])
        return parts[1], parts[2], int(parts[4])
    except ValueError:
        return "", "", 0
