"""Which cluster and shards a node is on, as two nodes tell each other when they connect.

Spec: docs/protocol/delivery-light.md, DLC-24 to DLC-26. Source: 66/WAKU2-METADATA.
"""

from dataclasses import dataclass
from typing import Final

from logos_crypto.protobuf import Fields, number_field, numbers_field
from logos_crypto.refusals import ProtobufError
from logos_delivery.core.light.errors import LightMessageMalformedError
from logos_delivery.core.light.framing import METADATA_BYTES

PROTOCOL: Final = "/vac/waku/metadata/1.0.0"
KEEP_MS: Final = 6 * 3_600_000
"""How long what a peer said is good for."""

_CLUSTER: Final = 1
_SHARDS_BEFORE: Final = 2
_SHARDS: Final = 3
_MAX_FIELDS: Final = METADATA_BYTES
_U16: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Metadata:
    """Request and response are the same."""

    cluster: int | None
    """16 bits."""
    shards: tuple[int, ...] = ()


def encode(metadata: Metadata) -> bytes:
    """Encodes metadata, at most 1,024 bytes (DLC-25).

    Shards are there twice, for old readers and new; once if they do not fit twice, and the
    first ones only if they do not fit once.
    """
    cluster = b"" if metadata.cluster is None else number_field(_CLUSTER, metadata.cluster)
    before = b"".join(number_field(_SHARDS_BEFORE, shard) for shard in metadata.shards)
    packed = numbers_field(_SHARDS, metadata.shards)
    if len(cluster + before + packed) <= METADATA_BYTES:
        return cluster + before + packed
    shards = metadata.shards
    while len(cluster + packed) > METADATA_BYTES:
        shards = shards[: len(shards) - (len(cluster + packed) - METADATA_BYTES) // 3 - 1]
        packed = numbers_field(_SHARDS, shards)
    return cluster + packed


def decode(raw: bytes) -> Metadata:
    """Reads metadata; raises `LightMessageMalformedError`."""
    try:
        if len(raw) > METADATA_BYTES:
            raise LightMessageMalformedError(f"metadata of {len(raw)} bytes")
        fields = Fields(raw, max_fields=_MAX_FIELDS)
        shards = fields.numbers(_SHARDS if fields.has(_SHARDS) else _SHARDS_BEFORE)
        cluster = fields.number(_CLUSTER) if fields.has(_CLUSTER) else None
    except ProtobufError as error:
        raise LightMessageMalformedError(str(error)) from error
    if not all(number < _U16 for number in (*shards, cluster or 0)):
        raise LightMessageMalformedError("a cluster or a shard of over 16 bits")
    return Metadata(cluster, tuple(dict.fromkeys(shards)))


def refusal(metadata: Metadata, own_cluster: int) -> str | None:
    """Returns why a peer is disconnected (DLC-26); None if it stays."""
    if metadata.cluster is None:
        return "empty cluster-id reported"
    if metadata.cluster != own_cluster:
        return f"different clusterId reported: {own_cluster} vs {metadata.cluster}"
    return None
