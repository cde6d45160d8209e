"""Networks by name (DSN-24).

Source: logos-messaging/logos-delivery `networks_config.nim` at 69fbffa; the last is ours.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from logos_delivery.core.message import MAX_MESSAGE_BYTES


@dataclass(frozen=True, slots=True)
class RlnPreset:
    """The rate limits of a network."""

    epoch_s: int | None
    """None: the mixnet's own epochs and limit."""
    message_limit: int | None
    """Messages of a member in an epoch."""
    chain_id: int | None = None
    contract: str | None = None
    """Where members are registered. None: with this network's own chain service."""


@dataclass(frozen=True, slots=True)
class Preset:
    """What nodes of a network agree on."""

    name: str
    cluster: int
    shards: int
    rln: RlnPreset | None
    has_mix: bool
    is_reliable: bool
    """Whether stores are asked for what was sent and for what was missed, by default."""
    max_message_bytes: int = MAX_MESSAGE_BYTES


_ALL: Final = (
    Preset(
        "twn",
        cluster=1,
        shards=8,
        rln=RlnPreset(600, 100, 59141, "0xB9cd878C90E49F797B4431fBF4fb333108CB90e6"),
        has_mix=False,
        is_reliable=False,
    ),
    Preset("logos.test", cluster=2, shards=8, rln=None, has_mix=True, is_reliable=True),
    Preset("logos.dev", cluster=3, shards=8, rln=None, has_mix=True, is_reliable=True),
    Preset(
        "status.prod",
        cluster=16,
        shards=1,
        rln=None,
        has_mix=False,
        is_reliable=False,
        max_message_bytes=1024 * 1024,
    ),
    Preset(
        "logos.local",
        cluster=66,
        shards=8,
        rln=RlnPreset(None, None),
        has_mix=True,
        is_reliable=True,
    ),
)

PRESETS: Final = MappingProxyType({preset.name: preset for preset in _ALL})
