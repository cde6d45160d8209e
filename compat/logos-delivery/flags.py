"""The flags of the reference's node, as they are written: `--name=value` (DHT-21).

Source: logos-messaging/logos-delivery `tools/confutils/cli_args.nim` at 69fbffa. A flag that the
reference has not is refused, as there; one that this node cannot keep is refused, too.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from typing import Any, Final

_YES: Final = frozenset({"y", "yes", "true", "1", "on"})
_NO: Final = frozenset({"n", "no", "false", "0", "off"})


class FlagsError(ValueError):
    """Flags that cannot be used; the text names them all."""


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What was asked for. A name is the flag's, with `_` for `-`."""

    nodekey: str = ""
    """64 hexadecimal digits; empty: one is made."""
    preset: str = ""
    cluster_id: int = 0
    num_shards_in_network: int = 0
    shard: tuple[int, ...] = ()
    content_topic: tuple[str, ...] = ()
    listen_address: str = "0.0.0.0"  # noqa: S104 -- the reference's own
    tcp_port: int = 60_000
    ports_shift: int = 0
    nat: str = "any"
    ext_multiaddr: tuple[str, ...] = ()
    max_connections: int = 150
    relay: bool = True
    store: bool = False
    store_resume: bool = False
    filter: bool = False
    lightpush: bool = False
    peer_exchange: bool = False
    storenode: str = ""
    filternode: str = ""
    lightpushnode: str = ""
    peer_exchange_node: str = ""
    staticnode: tuple[str, ...] = ()
    entry_node: tuple[str, ...] = ()
    discv5_bootstrap_node: tuple[str, ...] = ()
    store_message_db_url: str = ""
    store_message_retention_policy: str = ""
    store_sync: bool = False
    store_sync_interval: int = 300
    """Seconds."""
    store_sync_range: int = 3_600
    """Seconds."""
    store_sync_relay_jitter: int = 20
    """Seconds."""
    rate_limit: tuple[str, ...] = ()
    rest: bool = True
    rest_address: str = "127.0.0.1"
    rest_port: int = 8_645
    rest_relay_cache_capacity: int = 50
    metrics_server: bool = False
    metrics_server_address: str = "127.0.0.1"
    metrics_server_port: int = 8_008
    log_level: str = "INFO"
    without_effect: tuple[str, ...] = field(default=(), compare=False)
    """Flags that were given and are not needed here."""


NEEDLESS: Final = frozenset(
    {
        "agent-string",
        "discv5-bits-per-hop",
        "discv5-bucket-ip-limit",
        "discv5-discovery",
        "discv5-enr-auto-update",
        "discv5-table-ip-limit",
        "discv5-udp-port",
        "dns-addrs-name-server",
        "ip-colocation-limit",
        "keep-alive",
        "log-format",
        "metrics-logging",
        "peer-persistence",
        "peer-store-capacity",
        "relay-peer-exchange",
        "relay-service-ratio",
        "rest-admin",
        "store-max-num-db-connections",
        "store-message-db-migration",
        "store-message-db-vacuum",
        "websocket-port",
        "websocket-support",
    }
)
"""They change nothing that this node promises: it does so anyway, or has no such part."""
FALSE_ALONE: Final = frozenset(
    {
        "dns-discovery",
        "enable-kad-discovery",
        "mix",
        "quic-support",
        "relay-client",
        "rendezvous",
        "rln-relay",
        "websocket-secure-support",
    }
)
"""What this node has not behind these flags; `false` is taken."""
_SHORT: Final = {"INFO": "INFO", "NOTICE": "INFO", "WARN": "WARNING", "FATAL": "ERROR"}


def parse(arguments: Iterable[str]) -> Flags:
    """Reads flags; raises FlagsError with all that is wrong."""
    problems: list[str] = []
    found: dict[str, list[str]] = {}
    for name, value in _pairs(arguments, problems):
        found.setdefault(name, []).append(value)
    needless = sorted(found.keys() & NEEDLESS)
    values: dict[str, Any] = {}
    for name, given in found.items():
        if name in NEEDLESS:
            continue
        try:
            if name in FALSE_ALONE:
                if _flag(given[-1]):
                    problems.append(f"--{name}: this node has no such part; only false is taken")
            elif name.replace("-", "_") in _TYPES:
                values[name.replace("-", "_")] = _value(name.replace("-", "_"), given)
            else:
                problems.append(f"--{name}: unknown")
        except ValueError as error:
            problems.append(f"--{name}: {error}")
    problems += _conflicts(values)
    if problems:
        raise FlagsError("; ".join(problems))
    return Flags(**values, without_effect=tuple(needless))


def _pairs(arguments: Iterable[str], problems: list[str]) -> Iterator[tuple[str, str]]:
    for argument in arguments:
        name, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or not name:
            problems.append(f"{argument!r}: a flag is --name=value")
        else:
            yield name, value if equals else "true"


_TYPES: Final[Mapping[str, Any]] = {
    one.name: one.type for one in fields(Flags) if one.name != "without_effect"
}


def _value(name: str, given: list[str]) -> Any:
    kind, last = _TYPES[name], given[-1]
    if kind is bool:
        return _flag(last)
    if kind is int:
        return _number(last)
    if kind == tuple[int, ...]:
        return tuple(map(_number, given))
    if kind == tuple[str, ...]:
        return tuple(given)
    return last


def _flag(text: str) -> bool:
    if text.lower() not in _YES | _NO:
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() in _YES


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text[:6]) <= 0xFFFF and len(text) <= 5):
        raise ValueError(f"{text!r} is not a number from 0 to 65535")
    return int(text)


def _conflicts(values: Mapping[str, Any]) -> Iterator[str]:
    key = values.get("nodekey", "")
    if key and (len(key) != 64 or not set(key.lower()) <= set("0123456789abcdef")):
        yield "--nodekey: 64 hexadecimal digits"
    nat = values.get("nat", "any")
    if nat not in {"any", "none"} and _ip(nat.removeprefix("extip:")) is None:
        yield "--nat: any, none, or extip:ADDRESS"
    for name in ("listen_address", "rest_address", "metrics_server_address"):
        if name in values and _ip(values[name]) is None:
            yield f"--{name.replace('_', '-')}: an IP address"
    if values.get("log_level", "INFO").upper() not in _LEVELS:
        yield f"--log-level: one of {', '.join(_LEVELS)}"


_LEVELS: Final = ("TRACE", "DEBUG", *_SHORT, "ERROR")


def level_of(flags: Flags) -> str:
    """Returns Python's level of logs: of those that it has not, the next one that says more."""
    return _SHORT.get(
        flags.log_level.upper(), "DEBUG" if flags.log_level.upper() != "ERROR" else "ERROR"
    )


def _ip(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def told(flags: Flags) -> None:
    """Says on stderr which flags have no effect, and what programs look for in the reference's log.

    That is the protocol by which nodes tell each other their cluster (DLC-24).
    """
    sys.stderr.write(f"INF Created WakuMetadata protocol clusterId={flags.cluster_id}\n")
    if flags.without_effect:
        names = " ".join(f"--{name}" for name in flags.without_effect)
        sys.stderr.write(f"without effect here: {names}\n")
