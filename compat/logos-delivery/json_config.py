"""From the JSON that the reference's library takes to the flags of its program (DHT-22).

Source: logos-messaging/logos-delivery `logos_delivery/api/conf` at 69fbffa. Keys are those of its
configuration, in any case.
"""

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from flags import FALSE_ALONE, NEEDLESS, Flags, FlagsError, parse
from node_profile import network_of

_PLURALS: Final = {
    "contenttopics": "content-topic",
    "discv5bootstrapnodes": "discv5-bootstrap-node",
    "entrynodes": "entry-node",
    "extmultiaddrs": "ext-multiaddr",
    "ratelimits": "rate-limit",
    "shards": "shard",
    "staticnodes": "staticnode",
}
"""Where the configuration names a list otherwise than the program its items."""
_FLAGS: Final = {
    name.replace("-", ""): name
    for name in (
        *(one.name.replace("_", "-") for one in fields(Flags) if one.name != "without_effect"),
        *NEEDLESS,
        *FALSE_ALONE,
    )
} | _PLURALS
_RELIABILITY: Final = ("reliabilityenabled", "reliability")
_PARTS: Final = ("kernelconf", "messagingoverrides")
"""Objects whose keys count as if they stood above them."""
_OF_MODES: Final = {
    "core": {"relay": True, "filter": True, "lightpush": True, "peer-exchange": True},
    "edge": {"relay": False, "filter": False, "lightpush": False, "peer-exchange": True},
}
"""What a mode says of protocols that are not named."""
_PORTS: Final = ("tcp_port", "rest_port", "metrics_server_port")


@dataclass(frozen=True)
class LibraryConfig:
    """What a node of the library is started with."""

    flags: Flags
    is_reliable: bool | None
    """Whether store nodes are asked for what was sent; None: as the preset says."""


def read(config: Mapping[str, Any]) -> LibraryConfig:
    """Reads a configuration; raises FlagsError with all that is wrong."""
    problems: list[str] = []
    given = dict(_flat(config, problems))
    mode = str(given.pop("mode", "core")).strip().lower()
    if mode not in _OF_MODES:
        problems.append(f"mode: Core or Edge, not {mode!r}")
    if str(given.pop("entrylayer", "channels")).lower() not in {"channels", "messaging"}:
        problems.append("entryLayer: channels or messaging")
    is_reliable = _reliability(given, problems)
    named = {"rest": False, **_OF_MODES.get(mode, {})}
    for key, value in given.items():
        if key in _FLAGS:
            named[_FLAGS[key]] = value
        else:
            problems.append(f"{key}: unknown")
    flags = Flags()
    try:
        flags = parse(_arguments(named))
        flags = replace(flags, shard=flags.shard or _all_shards(flags))
    except FlagsError as error:
        problems.append(str(error))
    if problems:
        raise FlagsError("; ".join(problems))
    return LibraryConfig(_with_ports(flags), is_reliable)


def _flat(config: Mapping[str, Any], problems: list[str]) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        name = key.lower()
        if name in _PARTS and isinstance(value, dict):
            yield from _flat(value, problems)
        elif name == "channelsoverrides" or name in _PARTS:
            if value != {}:
                problems.append(f"{key}: this node has nothing to set there")
        else:
            yield name, value


def _reliability(given: dict[str, Any], problems: list[str]) -> bool | None:
    found = [given.pop(name) for name in _RELIABILITY if name in given]
    if not all(isinstance(one, bool) for one in found):
        problems.append("reliabilityEnabled: true or false")
        return None
    return found[-1] if found else None


def _arguments(named: Mapping[str, Any]) -> Iterator[str]:
    for name, value in named.items():
        for one in value if isinstance(value, list) else [value]:
            text = str(one).lower() if isinstance(one, bool) else str(one)
            yield f"--{name}={text}"


def _all_shards(flags: Flags) -> tuple[int, ...]:
    """A node of the library relays all shards that content topics may be of."""
    return tuple(range(network_of(flags)["cluster_shards"]))


def _with_ports(flags: Flags) -> Flags:
    """Shifts ports; a free one is for each that is 0."""
    ports: dict[str, int] = {name: getattr(flags, name) for name in _PORTS}
    free = _free_ports(sum(not port for port in ports.values()))
    shifted: dict[str, Any] = {
        name: port + flags.ports_shift if port else next(free) for name, port in ports.items()
    }
    return replace(flags, ports_shift=0, **shifted)


def _free_ports(count: int) -> Iterator[int]:
    """Ports that were free for TCP: all are held until the last is known, so they differ."""
    holders = [socket.socket() for _ in range(count)]
    for holder in holders:
        holder.bind(("", 0))
    numbers = [holder.getsockname()[1] for holder in holders]
    for holder in holders:
        holder.close()
    return iter(numbers)
