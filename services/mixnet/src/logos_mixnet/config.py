"""The module's settings. docs/protocol/network.md explains what each does to the network."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from logos_base.errors import ConfigError
from logos_mixnet.core.addresses import Address, parse_address
from logos_mixnet.core.errors import InvalidAddressError

KeyType = Literal["secp256k1", "ed25519"]

MAX_LIST: Final = 256
MAX_SEED: Final = 2**64 - 1
MAX_PROTOCOL_TEXT: Final = 140


@dataclass(frozen=True, slots=True)
class Config:
    """What a profile may set."""

    listen: tuple[Address, ...]
    """Where other nodes reach this one."""
    bootstrap: tuple[Address, ...] = ()
    """Nodes to stay connected to, with or without `/p2p` (NET-4)."""
    key_type: KeyType = "secp256k1"
    seed: int | None = None
    """Derives the identity from this number; insecure, for testnets (NET-2)."""
    target_peers: int = 8
    """Below this, known peers are dialled and new ones searched for."""
    max_peers: int = 250
    max_streams: int = 1024
    gossip_protocol: str = "/vac/waku/relay/2.0.0"
    kademlia_protocol: str = "/logos/kad/1.0.0"


_KEYS: Final = frozenset(each.name for each in fields(Config))


def parse(settings: Mapping[str, object]) -> Config:
    """Reads the settings, or raises `ConfigError` with all that is wrong with them."""
    problems = [f"{key}: unknown setting" for key in sorted(settings.keys() - _KEYS)]
    values: dict[str, Any] = {}
    for key, value in settings.items():
        reader = _READERS.get(key)
        if reader is not None:
            try:
                values[key] = reader(value)
            except (ValueError, InvalidAddressError) as error:
                problems.append(f"{key}: {error}")
    if "listen" not in settings or values.get("listen") == ():
        problems.append("listen: must name at least one address")
    if not problems:
        config = Config(**values)
        if config.target_peers <= config.max_peers:
            return config
        problems.append("target_peers: must not be over max_peers")
    raise ConfigError(problems)


def _addresses(value: object) -> tuple[Address, ...]:
    if not isinstance(value, list) or len(value) > MAX_LIST:
        raise ValueError(f"must be a list of up to {MAX_LIST} multiaddresses")
    if not all(isinstance(item, str) for item in value):
        raise ValueError("must be a list of texts")
    return tuple(dict.fromkeys(parse_address(item) for item in value))


def _listen(value: object) -> tuple[Address, ...]:
    addresses = _addresses(value)
    if any(address.peer_id or address.name_kind for address in addresses):
        raise ValueError("must be IP addresses without /p2p")
    return addresses


def _number(low: int, high: int) -> Any:
    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return read


def _key_type(value: object) -> str:
    if value not in {"secp256k1", "ed25519"}:
        raise ValueError("must be secp256k1 or ed25519")
    return str(value)


def _protocol(value: object) -> str:
    if not (isinstance(value, str) and value.startswith("/") and len(value) <= MAX_PROTOCOL_TEXT):
        raise ValueError("must be a protocol id like /logos/kad/1.0.0")
    return value


_READERS: Final[dict[str, Any]] = {
    "listen": _listen,
    "bootstrap": _addresses,
    "key_type": _key_type,
    "seed": _number(0, MAX_SEED),
    "target_peers": _number(0, 10_000),
    "max_peers": _number(1, 10_000),
    "max_streams": _number(1, 65_536),
    "gossip_protocol": _protocol,
    "kademlia_protocol": _protocol,
}
