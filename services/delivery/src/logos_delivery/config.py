"""The settings of the delivery module."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from logos_base.errors import ConfigError, LogosError
from logos_base.manifest import NAME
from logos_delivery.core.archive.policies import parse_policies
from logos_delivery.core.enr import record
from logos_delivery.core.light import rates
from logos_delivery.core.light.rates import RateLimits
from logos_delivery.core.presets import PRESETS, Preset
from logos_delivery.core.recent import DEFAULT_CAPACITY
from logos_delivery.core.topics import MAX_SHARDS, is_pubsub_topic, parse_content_topic
from logos_module.http.listening import HttpListen, listen_problems, parse_listen

MODES = ("core", "edge")
MAX_RECORDS: Final = 60
"""Of the settings: as many as a response of peer exchange has."""
MAX_SECONDS = 30 * 24 * 60 * 60
MAX_HTTP_CACHE: Final = 10_000
_OF_PRESET: Final = {
    "cluster": "cluster",
    "cluster_shards": "shards",
    "reliability": "is_reliable",
}
"""Settings that replace what the preset says, and its fields: a network of one's own."""
MAX_MIX_DELAY_MS: Final = 2_000
"""A message takes three of them until it is published, on average, of the 20 s of DSN-16."""
MAX_UNASKED: Final = 16
"""Shards of a cluster that a node relays all without being asked to (DEL-10)."""


@dataclass(frozen=True, slots=True)
class Config:
    """Settings with their defaults."""

    preset: Preset = PRESETS["logos.local"]
    mode: str = "core"
    """`core` relays and serves; `edge` has the clients alone, and an archive where it is told."""
    store: bool | None = None
    """Whether this node keeps messages for others; None: if it relays (DST-44)."""
    filter: bool = True
    """Whether it pushes messages to light clients; never at an edge node."""
    light_push: bool = True
    """Whether it publishes for light clients; never at an edge node."""
    archive_url: str = ""
    """PostgreSQL database of the archive, `postgresql+asyncpg://…`; empty: a file of this node."""
    retention: str = "time:172800"
    """What the archive removes (DST-20)."""
    rate_limits: RateLimits = RateLimits()  # noqa: RUF009 -- immutable
    """Of the services for other nodes (DLC-27)."""
    sync: bool = False
    """Whether the archive is reconciled with those of other store nodes (DST-39)."""
    sync_interval_s: int = 300
    """Between two reconciliations of this node's own; 0: only when an operator asks."""
    sync_range_s: int = 3_600
    sync_offset_s: int = 20
    """What is compared ended so long ago."""
    resume: bool = False
    """Whether the archive gets at a start what it missed while this node was away (DST-41)."""
    store_peers: tuple[str, ...] = ()
    """Peer ids of store nodes that are asked before others."""
    filter_peers: tuple[str, ...] = ()
    """Peer ids of service nodes that HTTP clients subscribe at; the first is asked."""
    light_push_peers: tuple[str, ...] = ()
    """Peer ids of service nodes that publish before others do."""
    shards: tuple[int, ...] | None = None
    """Shards that this node relays though no application subscribes; None: `own_shards`."""
    rln: bool = True
    """Whether messages carry proofs of rate limits where the preset has them."""
    rln_registry: str = ""
    """Module of this node to which members are reported that used an id twice (DSN-25)."""
    enr: str = ""
    """Record of this node, made by who has its key, in place of the one that it makes (DLC-38)."""
    peer_exchange: bool = True
    """Whether it asks others for nodes, and tells others of some; the latter never at an edge."""
    peer_exchange_peers: tuple[str, ...] = ()
    """Peer ids of nodes that are asked for others before those that discovery finds."""
    records: tuple[str, ...] = ()
    """Records of nodes that this one begins with, and tells others of (DLC-41)."""
    http: HttpListen | None = None
    """Where the HTTP interface is served; None: nowhere."""
    http_open: bool = False
    """Whether it takes requests of any program of this machine, without a token."""
    http_enclosed: bool = False
    """Whether this node is alone in a container, whose ports are published on loopback alone."""
    http_cache: int = DEFAULT_CAPACITY
    """Messages of a pubsub topic that wait there to be fetched."""
    http_metrics: HttpListen | None = None
    """Where its figures are served, to any program of this machine; None: nowhere else."""
    http_topics: tuple[str, ...] = ()
    """Pubsub topics and content topics whose messages wait there from the start."""

    mix: bool = True
    """Whether messages may leave through the mix-net, where the preset has one."""
    mix_delay_ms: int = 1_000
    """Of such a message at each hop, on average, and of its answer (DSN-10)."""

    @property
    def via_mix(self) -> bool:
        """Whether this node sends and answers through the mix-net."""
        return self.mix and self.preset.has_mix

    @property
    def serves_http(self) -> bool:
        """Whether there is HTTP, be it for the figures alone."""
        return self.http is not None or self.http_metrics is not None

    @property
    def relays(self) -> bool:
        """Whether this node relays."""
        return self.mode == "core"

    @property
    def own_shards(self) -> tuple[int, ...]:
        """Shards that it relays from the start: what it serves others is of these (DEL-10)."""
        if self.shards is not None:
            return self.shards
        return tuple(range(self.preset.shards)) if self.preset.shards <= MAX_UNASKED else ()

    @property
    def pushes(self) -> bool:
        """Whether this node serves filter."""
        return self.filter and self.relays

    @property
    def publishes(self) -> bool:
        """Whether this node serves light push."""
        return self.light_push and self.relays

    @property
    def asks_for_peers(self) -> bool:
        """Whether this node asks others for nodes."""
        return self.peer_exchange or bool(self.peer_exchange_peers)

    @property
    def tells_of_peers(self) -> bool:
        """Whether this node serves peer exchange."""
        return self.peer_exchange and self.relays

    @property
    def keeps(self) -> bool:
        """Whether this node keeps messages."""
        return self.relays if self.store is None else self.store


def parse(settings: Mapping[str, object]) -> Config:
    """Reads the settings.

    Raises:
        ConfigError: With all problems at once.
    """
    problems = [f"unknown setting {name}" for name in sorted(settings.keys() - _READERS.keys())]
    values: dict[str, Any] = {}
    for name, read in _READERS.items():
        if name not in settings:
            continue
        try:
            values[name] = read(settings[name])
        except (ValueError, LogosError) as error:
            problems.append(f"{name}: {error}")
    other = {field: values.pop(name) for name, field in _OF_PRESET.items() if name in values}
    found = Config(**values)
    found = replace(found, preset=replace(found.preset, **other))
    problems += [
        f"shards: {shard} is not below {found.preset.shards}"
        for shard in found.shards or ()
        if shard >= found.preset.shards
    ]
    if found.keeps and not found.relays and found.preset.rln is not None and found.rln:
        problems.append("store: an edge node judges no proofs of rate limits, so it keeps nothing")
    for name, listen in (("http", found.http), ("http_metrics", found.http_metrics)):
        problems += listen_problems(name, listen, is_enclosed=found.http_enclosed)
    if problems:
        raise ConfigError(problems)
    return found


def _preset(value: object) -> Preset:
    if not isinstance(value, str) or value not in PRESETS:
        raise ValueError(f"one of {', '.join(PRESETS)}")
    return PRESETS[value]


def _between(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"a number from {least} to {most}")
        return value

    return read


def _mode(value: object) -> str:
    if value not in MODES:
        raise ValueError("`core` or `edge`")
    return str(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 -- all problems are told together
    return value


def _url(value: object) -> str:
    if not isinstance(value, str) or (value and not value.startswith("postgresql+asyncpg://")):
        raise ValueError("empty, or postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE")
    return value


def _retention(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a text, e.g. `time:172800;size:30GB`")  # noqa: TRY004
    parse_policies(value)
    return value


def _module(value: object) -> str:
    if not isinstance(value, str) or (value and not NAME.fullmatch(value)):
        raise ValueError("empty, or the name of a module")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("a list of texts")
    return tuple(value)


def _topics(value: object) -> tuple[str, ...]:
    found = _texts(value)
    for one in found:
        if not is_pubsub_topic(one):
            parse_content_topic(one)
    return found


def _enr(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("empty, or a record, `enr:…`")  # noqa: TRY004
    return str(record.parse(value)) if value else ""


def _records(value: object) -> tuple[str, ...]:
    found = _texts(value)
    if len(found) > MAX_RECORDS:
        raise ValueError(f"at most {MAX_RECORDS} records")
    return tuple(str(record.parse(one)) for one in found)


def _limits(value: object) -> RateLimits:
    return rates.parse(_texts(value))


def _seconds(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_SECONDS:
        raise ValueError(f"seconds, from 0 to {MAX_SECONDS}")
    return value


def _some_seconds(value: object) -> int:
    if value == 0:
        raise ValueError(f"seconds, from 1 to {MAX_SECONDS}")
    return _seconds(value)


def _shards(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise ValueError("a list of numbers")  # noqa: TRY004
    if not all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in value):
        raise ValueError("a list of numbers from 0 on")
    return tuple(value)


_READERS: Mapping[str, Callable[[object], Any]] = {
    "preset": _preset,
    "cluster": _between(0, 0xFFFF),
    "cluster_shards": _between(1, MAX_SHARDS),
    "reliability": _flag,
    "mode": _mode,
    "store": _flag,
    "filter": _flag,
    "light_push": _flag,
    "archive_url": _url,
    "retention": _retention,
    "rate_limits": _limits,
    "sync": _flag,
    "sync_interval_s": _seconds,
    "sync_range_s": _some_seconds,
    "sync_offset_s": _seconds,
    "resume": _flag,
    "store_peers": _texts,
    "filter_peers": _texts,
    "light_push_peers": _texts,
    "shards": _shards,
    "rln": _flag,
    "rln_registry": _module,
    "mix": _flag,
    "mix_delay_ms": _between(1, MAX_MIX_DELAY_MS),
    "enr": _enr,
    "peer_exchange": _flag,
    "peer_exchange_peers": _texts,
    "records": _records,
    "http": parse_listen,
    "http_open": _flag,
    "http_enclosed": _flag,
    "http_cache": _between(1, MAX_HTTP_CACHE),
    "http_metrics": parse_listen,
    "http_topics": _topics,
}
