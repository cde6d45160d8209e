"""What a node of Logos Delivery says in its record, and what another one reads there.

A field that cannot be read counts as absent: a record is refused for its signature alone.

Spec: docs/protocol/delivery-light.md, DLC-34 to DLC-37. Source: 31/WAKU2-ENR, waku-mix.
"""

import ipaddress
from contextlib import suppress
from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from logos_crypto import rlp
from logos_delivery.core.enr import multiaddress, shards
from logos_delivery.core.enr.errors import MultiaddressMalformedError
from logos_delivery.core.enr.record import Record
from logos_delivery.core.enr.shards import RelayShards

MIX_KEY_BYTES: Final = 32

_IP: Final = b"ip"
_IP6: Final = b"ip6"
_TCP: Final = b"tcp"
_UDP: Final = b"udp"
_MULTIADDRS: Final = b"multiaddrs"
_WAKU: Final = b"waku2"
_MIX_KEY: Final = b"mix-key"


class Capability(IntFlag):
    """The services of a node; a byte of them is the value of `waku2`."""

    RELAY = 1
    STORE = 2
    FILTER = 4
    LIGHT_PUSH = 8
    SYNC = 16
    MIX = 32


@dataclass(frozen=True, slots=True)
class NodeFields:
    """The fields of a record that are used here."""

    ip: ipaddress.IPv4Address | None = None
    tcp: int | None = None
    """A port."""
    udp: int | None = None
    ip6: ipaddress.IPv6Address | None = None
    tcp6: int | None = None
    """The port of IPv6 if it is another one than that of IPv4."""
    udp6: int | None = None
    multiaddrs: tuple[str, ...] = ()
    """Only what the fields above cannot say: other transports, names."""
    capabilities: Capability | None = None
    shards: RelayShards | None = None
    mix_key: bytes | None = None
    """The Curve25519 key of its mix: 32 bytes."""

    def pairs(self) -> dict[bytes, rlp.Item]:
        """Returns them as `record.build` takes them."""
        found: dict[bytes, rlp.Item] = {}
        for name, address in ((_IP, self.ip), (_IP6, self.ip6)):
            if address is not None:
                found[name] = address.packed
        ports = ((_TCP, self.tcp), (_UDP, self.udp), (b"tcp6", self.tcp6), (b"udp6", self.udp6))
        for name, port in ports:
            if port is not None:
                found[name] = rlp.number(port)
        if self.multiaddrs:
            found[_MULTIADDRS] = _encode_addresses(self.multiaddrs)
        if self.capabilities is not None:
            found[_WAKU] = bytes([self.capabilities])
        if self.shards is not None:
            name, value = shards.to_field(self.shards)
            found[name] = value
        if self.mix_key is not None:
            found[_MIX_KEY] = self.mix_key
        return found


def read(record: Record) -> NodeFields:
    """Returns the fields of a record. Never raises."""
    ip, ip6 = record.value(_IP), record.value(_IP6)
    flags, mix_key = record.value(_WAKU), record.value(_MIX_KEY)
    return NodeFields(
        ip=ipaddress.IPv4Address(ip) if ip and len(ip) == 4 else None,
        tcp=_port(record.value(_TCP)),
        udp=_port(record.value(_UDP)),
        ip6=ipaddress.IPv6Address(ip6) if ip6 and len(ip6) == 16 else None,
        tcp6=_port(record.value(b"tcp6")),
        udp6=_port(record.value(b"udp6")),
        multiaddrs=_decode_addresses(record.value(_MULTIADDRS) or b""),
        capabilities=_capabilities(flags),
        shards=shards.from_fields(
            record.value(shards.LIST_FIELD), record.value(shards.VECTOR_FIELD)
        ),
        mix_key=mix_key if mix_key and len(mix_key) == MIX_KEY_BYTES else None,
    )


def addresses(fields: NodeFields) -> tuple[str, ...]:
    """Returns where to dial a node, without its peer id: TCP first, then its multiaddresses."""
    found = []
    if fields.ip is not None and fields.tcp:
        found.append(f"/ip4/{fields.ip}/tcp/{fields.tcp}")
    port = fields.tcp6 or fields.tcp
    if fields.ip6 is not None and port:
        found.append(f"/ip6/{fields.ip6}/tcp/{port}")
    return tuple(dict.fromkeys((*found, *fields.multiaddrs)))


def is_of_other_cluster(fields: NodeFields, cluster: int) -> bool:
    """Says whether a record names shards of another cluster; not if it names none."""
    return fields.shards is not None and fields.shards.cluster != cluster


def _capabilities(flags: bytes | None) -> Capability | None:
    """Reads `waku2`; bits without a meaning do not count."""
    if flags is None or len(flags) != 1:
        return None
    return Capability(flags[0] & sum(Capability))


def _port(raw: bytes | None) -> int | None:
    if raw is None or len(raw) > 2 or raw.startswith(b"\0"):
        return None
    return int.from_bytes(raw, "big")


def _encode_addresses(texts: tuple[str, ...]) -> bytes:
    """Encodes multiaddresses without peer ids, each once, its length (2 bytes) before it."""
    stripped = dict.fromkeys(multiaddress.without_peer_id(text) for text in texts)
    encoded = [multiaddress.to_bytes(text) for text in stripped]
    return b"".join(len(raw).to_bytes(2, "big") + raw for raw in encoded)


def _decode_addresses(raw: bytes) -> tuple[str, ...]:
    """Reads them; one that is not known here is left out, and none are read if a length lies."""
    found: list[str] = []
    at = 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 2], "big")
        at += 2
        if size == 0 or size > len(raw) - at:
            return ()
        with suppress(MultiaddressMalformedError):
            found.append(multiaddress.to_text(raw[at : at + size]))
        at += size
    return tuple(found)
