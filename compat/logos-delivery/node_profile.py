"""From the reference's flags to the profile of a node: its kernel, `mixnet` and `delivery`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from flags import Flags, FlagsError

from logos_base.errors import LogosError
from logos_delivery.core.enr import fields as enr_fields
from logos_delivery.core.enr import record
from logos_delivery.core.presets import PRESETS
from logos_testnet.toml_text import to_toml

MODULES: Final = ("mixnet", "delivery")
_LIKE: Final = "logos.dev"
"""A preset without rate limits, for clusters that have none of their own."""


@dataclass(frozen=True)
class NodeProfile:
    """What a node is started with."""

    mixnet: dict[str, Any]
    delivery: dict[str, Any]

    def text(self) -> str:
        """Returns the profile of the kernel (KER-11)."""
        parts = ["schema = 1", 'testnet = "compat"', 'node = "node1"', 'runtime = "process"']
        for name in MODULES:
            parts += ["", f"[modules.{name}]", f"manifest = {to_toml(str(manifest(name)))}"]
            parts.append(f"[modules.{name}.settings]")
            settings: dict[str, Any] = getattr(self, name)
            parts += [f"{key} = {to_toml(value)}" for key, value in settings.items()]
        return "\n".join(parts) + "\n"


def profile_of(
    flags: Flags, *, is_reliable: bool | None = None, is_enclosed: bool = False
) -> NodeProfile:
    """Makes the profile of a node.

    Args:
        flags: What was asked for.
        is_reliable: Whether store nodes are asked for what was sent; None: as the preset says.
        is_enclosed: Whether it is alone in a container (DHT-2).

    Raises:
        FlagsError: A flag names an address, a record or a preset that is none.
    """
    shards = network_of(flags)
    port = flags.tcp_port + flags.ports_shift
    address = address_of(flags)
    mixnet: dict[str, Any] = {
        "listen": [
            f"/ip{ip_address(flags.listen_address).version}/{flags.listen_address}/tcp/{port}"
        ],
        "bootstrap": sorted(set(_bootstrap(flags))),
        "key_type": "secp256k1",
        "peer_exchange": flags.peer_exchange,
        "max_peers": flags.max_connections,
        "target_peers": min(8, flags.max_connections),
        "mix": "off",
        "rln": "off",
    }
    announced = [*flags.ext_multiaddr, *([f"/ip4/{address}/tcp/{port}"] if address else [])]
    if announced:
        mixnet["announce"] = announced
    delivery = _delivery(flags, shards) | _http(flags, shards, is_enclosed=is_enclosed)
    if is_reliable is not None:
        delivery["reliability"] = is_reliable
    return NodeProfile(mixnet, delivery)


def manifest(module: str) -> Path:
    """Returns where the manifest of an installed module is."""
    spec = find_spec(f"logos_{module}")
    if spec is None or spec.origin is None:
        raise FlagsError(f"the module {module} is not installed")
    return Path(spec.origin).parent / "module.toml"


def network_of(flags: Flags) -> dict[str, Any]:
    """Returns the cluster and its shards, by its preset if it has one. FlagsError."""
    by_cluster = {one.cluster: one for one in PRESETS.values()}
    preset = PRESETS.get(flags.preset) if flags.preset else by_cluster.get(flags.cluster_id)
    if flags.preset and preset is None:
        raise FlagsError(f"--preset: one of {', '.join(PRESETS)}")
    own = 1 if preset is None else preset.shards
    return {
        "preset": _LIKE if preset is None or preset.rln is not None else preset.name,
        "cluster": flags.cluster_id if preset is None else preset.cluster,
        "cluster_shards": flags.num_shards_in_network or own,
    }


def _delivery(flags: Flags, shards: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        **shards,
        "mode": "core" if flags.relay else "edge",
        "store": flags.store,
        "resume": flags.store_resume,
        "filter": flags.filter,
        "light_push": flags.lightpush,
        "rln": False,
        "mix": False,
        "peer_exchange": flags.peer_exchange,
        "rate_limits": list(flags.rate_limit),
        "sync": flags.store_sync,
        "sync_interval_s": flags.store_sync_interval,
        "sync_range_s": flags.store_sync_range,
        "sync_offset_s": flags.store_sync_relay_jitter,
        "shards": [],
    }
    for name, one in (
        ("store_peers", flags.storenode),
        ("filter_peers", flags.filternode),
        ("light_push_peers", flags.lightpushnode),
        ("peer_exchange_peers", flags.peer_exchange_node),
    ):
        if one:
            found[name] = [_peer_id(one)]
    known = [one for one in _entries(flags) if one.startswith("enr:")]
    if known:
        found["records"] = known
    if flags.store_message_retention_policy:
        found["retention"] = flags.store_message_retention_policy
    if flags.store_message_db_url.startswith("postgres"):
        _, _, rest = flags.store_message_db_url.partition("://")
        found["archive_url"] = f"postgresql+asyncpg://{rest}"
    if not flags.rest:
        found["shards"] = [one for one in flags.shard if one < shards["cluster_shards"]]
    return found


def _http(flags: Flags, shards: dict[str, Any], *, is_enclosed: bool) -> dict[str, Any]:
    where = _as_said if is_enclosed else _here
    found: dict[str, Any] = {"http_enclosed": is_enclosed}
    if flags.metrics_server:
        port = flags.metrics_server_port + flags.ports_shift
        found["http_metrics"] = where(flags.metrics_server_address, port)
    if flags.rest:
        topics = [f"/waku/2/rs/{shards['cluster']}/{shard}" for shard in flags.shard]
        found["http"] = where(flags.rest_address, flags.rest_port + flags.ports_shift)
        found["http_open"] = True
        found["http_cache"] = flags.rest_relay_cache_capacity
        found["http_topics"] = [*topics, *flags.content_topic]
    return found


def _as_said(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ip_address(address).version == 6 else f"{address}:{port}"


def _here(address: str, port: int) -> str:
    """Where HTTP is served: loopback, also if another address was asked for (DHT-2)."""
    return f"{'[::1]' if ip_address(address).version == 6 else '127.0.0.1'}:{port}"


def address_of(flags: Flags) -> str:
    """Returns the address by which others reach this node; empty if it is not known."""
    if flags.nat.startswith("extip:"):
        return flags.nat.removeprefix("extip:")
    listened = ip_address(flags.listen_address)
    return "" if listened.is_unspecified or listened.version == 6 else str(listened)


def _bootstrap(flags: Flags) -> Iterator[str]:
    """Whom this node stays connected to: also the nodes of records, whose first address counts."""
    named = (flags.storenode, flags.filternode, flags.lightpushnode, flags.peer_exchange_node)
    for address in (*flags.staticnode, *filter(None, named)):
        _peer_id(address)
        yield address
    for entry in _entries(flags):
        yield from _of_record(entry) if entry.startswith("enr:") else [entry]


def _entries(flags: Flags) -> tuple[str, ...]:
    """Returns the nodes by which it is to find others: addresses and records."""
    return (*flags.entry_node, *flags.discv5_bootstrap_node)


def _of_record(text: str) -> Iterable[str]:
    try:
        found = record.parse(text)
    except LogosError as error:
        raise FlagsError(f"a record that is none: {error}") from error
    addresses = enr_fields.addresses(enr_fields.read(found))
    return [f"{address}/p2p/{found.peer_id}" for address in addresses[:1]]


def _peer_id(address: str) -> str:
    before, _, peer_id = address.rpartition("/p2p/")
    if not before.startswith("/") or not peer_id or "/" in peer_id:
        raise FlagsError(f"{address!r}: a node is /ip4/…/tcp/…/p2p/ID")
    return peer_id
