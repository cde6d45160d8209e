"""The shards of a node, as its record names them.

Spec: docs/protocol/delivery-light.md, DLC-35. Source: WAKU2-RELAY-SHARDING, discovery.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from logos_delivery.core.enr.errors import ShardsInvalidError
from logos_delivery.core.topics import MAX_SHARDS, PubsubTopic

LIST_FIELD: Final = b"rs"
VECTOR_FIELD: Final = b"rsv"
MIN_SHARDS_OF_VECTOR: Final = 64
_VECTOR_BYTES: Final = MAX_SHARDS // 8
_U16: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class RelayShards:
    """Shards of one cluster, each once."""

    cluster: int
    shards: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raises `ShardsInvalidError` unless there is a shard, and all are below 1,024."""
        if not self.shards or not all(0 <= shard < MAX_SHARDS for shard in self.shards):
            raise ShardsInvalidError(f"one shard or more, from 0 to {MAX_SHARDS - 1}")
        if not 0 <= self.cluster < _U16:
            raise ShardsInvalidError("a cluster has 16 bits")
        object.__setattr__(self, "shards", tuple(dict.fromkeys(self.shards)))

    def __contains__(self, topic: PubsubTopic) -> bool:
        return topic.cluster == self.cluster and topic.shard in self.shards


def shards_of(topics: Iterable[PubsubTopic]) -> RelayShards | None:
    """Returns the shards of topics; None if there are none.

    Raises:
        ShardsInvalidError: They are of several clusters, or one is 1,024 or above.
    """
    found = tuple(topics)
    if not found:
        return None
    clusters = {topic.cluster for topic in found}
    if len(clusters) > 1:
        raise ShardsInvalidError("shards of several clusters")
    return RelayShards(clusters.pop(), tuple(topic.shard for topic in found))


def to_field(shards: RelayShards) -> tuple[bytes, bytes]:
    """Returns the key and the value: a list of up to 63 shards, a vector of more."""
    if len(shards.shards) < MIN_SHARDS_OF_VECTOR:
        return LIST_FIELD, to_list(shards)
    return VECTOR_FIELD, to_vector(shards)


def to_list(shards: RelayShards) -> bytes:
    """Returns the cluster (2 bytes), how many (1 byte), and each shard (2 bytes), big-endian."""
    listed = b"".join(shard.to_bytes(2, "big") for shard in shards.shards)
    return shards.cluster.to_bytes(2, "big") + bytes([len(shards.shards)]) + listed


def to_vector(shards: RelayShards) -> bytes:
    """Returns the cluster (2 bytes, big-endian) and 128 bytes: shard 8i + j is bit j of byte i."""
    bits = sum(1 << shard for shard in shards.shards)
    return shards.cluster.to_bytes(2, "big") + bits.to_bytes(_VECTOR_BYTES, "little")


def from_fields(listed: bytes | None, vector: bytes | None) -> RelayShards | None:
    """Reads the fields of a record: the list if it can be read, else the vector."""
    return _from_list(listed or b"") or _from_vector(vector or b"")


def _from_list(raw: bytes) -> RelayShards | None:
    if len(raw) < 3 or len(raw) != 3 + 2 * raw[2]:
        return None
    shards = tuple(int.from_bytes(raw[at : at + 2], "big") for at in range(3, len(raw), 2))
    return _shards(raw, shards)


def _from_vector(raw: bytes) -> RelayShards | None:
    if len(raw) != 2 + _VECTOR_BYTES:
        return None
    bits = int.from_bytes(raw[2:], "little")
    return _shards(raw, tuple(shard for shard in range(MAX_SHARDS) if bits >> shard & 1))


def _shards(raw: bytes, shards: tuple[int, ...]) -> RelayShards | None:
    try:
        return RelayShards(int.from_bytes(raw[:2], "big"), shards)
    except ShardsInvalidError:
        return None
