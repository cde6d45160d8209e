"""The module's settings. docs/protocol/network.md explains what each does to the network."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal

from logos_base.errors import ConfigError
from logos_base.manifest import NAME
from logos_crypto.hashes import FIELD_BYTES, MODULUS
from logos_mixnet.core.addresses import Address, parse_address
from logos_mixnet.core.errors import InvalidAddressError
from logos_mixnet.core.gossip import MAX_MESSAGE_BYTES, TOP_MESSAGE_BYTES
from logos_mixnet.core.mixing.cover import PROFILES
from logos_mixnet.core.trimming import Watermarks

KeyType = Literal["secp256k1", "ed25519"]
DiscoveryProfile = Literal["local", "public"]
OF_MODULE: Final = "module:"
"""Before the name of a module of this node, in place of an address."""
Membership = Literal["announcements", "genesis", "registry"]

MAX_LIST: Final = 256
MAX_SEED: Final = 2**64 - 1
MAX_PROTOCOL_TEXT: Final = 140
MAX_MEMBERS: Final = 65_536
MAX_ADDRESS: Final = 1_024
MAX_SECRET: Final = 256
MAX_PATH: Final = 4_096


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
    low_peers: int | None = None
    """To how many peers a node goes back that has too many; unset follows `max_peers` (NET-18)."""
    high_peers: int | None = None
    """More are too many."""
    grace_s: int = 20
    """How long a new peer is left alone."""
    silence_s: int = 10
    """The least time from one trimming to the next."""
    peer_exchange: bool = True
    """Whether peers are asked for others, and told of them (NET-20)."""
    max_streams: int = 1024
    max_gossip_bytes: int = MAX_MESSAGE_BYTES
    """Of a gossiped message. All nodes of a network have the same (NET-7)."""
    gossip_protocol: str = "/vac/waku/relay/2.0.0"
    kademlia_protocol: str = "/logos/kad/1.0.0"
    discovery_profile: DiscoveryProfile = "public"
    """Parameters of capability discovery; the same on all nodes of a network (DIS-18)."""
    announce: tuple[Address, ...] = ()
    """Where others reach this node, if not where it listens (DIS-21)."""
    mix: Literal["on", "off", "auto"] = "auto"
    """The mix; auto: on where the identity is of secp256k1, which it needs (MIX-9)."""
    mix_profile: str = "laptop"
    """What it spends and how long it holds, until another is set (MIX-21)."""
    mix_key_epoch_s: int = 86_400
    """How long a key is advertised (MIX-15)."""
    mix_exit: bool = False
    """Whether it hands messages over to nodes that are no mixes (MIX-28)."""
    tap: bool = False
    """Whether it writes down when packets come and leave; for testnets of one's own (MIX-32)."""
    rln: Literal["on", "off", "auto"] = "auto"
    """Rate limits; auto: on where the identity is of secp256k1, which they need (RLN-24)."""
    rln_limit: int = 100
    """Messages of a member in an epoch. All nodes of a network have the same."""
    rln_period_ms: int = 10_000
    """Length of an epoch. All nodes of a network have the same."""
    rln_membership: Membership = "announcements"
    rln_genesis: tuple[bytes, ...] = ()
    """Commitments of the members, in the order of their leaves."""
    rln_registry: str | None = None
    """Address of `logos.network.v1.Registry`, or `module:NAME`, a module of this node (RLN-40)."""
    rln_allocation_secret: str | None = field(default=None, repr=False)
    """With it, this node registers others who know it (RLN-31)."""
    genesis: Path | None = None
    """Folder with the members that the testnet begins with (RLN-39); None: it has none."""
    own_genesis: Path | None = None
    """Folder with the secrets of this node as one of them, if it is one."""

    @property
    def mixes(self) -> bool:
        """Whether the mix is on."""
        return self.mix == "on" or (self.mix == "auto" and self.key_type == "secp256k1")

    @property
    def keeps_rate_limits(self) -> bool:
        """Whether rate limits are on."""
        return self.rln == "on" or (self.rln == "auto" and self.key_type == "secp256k1")

    @property
    def announces_member(self) -> bool:
        """Whether this node becomes a member by announcing itself (RLN-22)."""
        return self.keeps_rate_limits and self.rln_membership == "announcements"

    @property
    def watermarks(self) -> Watermarks:
        """When connections are ended. Raises ValueError if the numbers make no sense."""
        low, high = self.low_peers, self.high_peers
        if low is None:
            low = max(self.target_peers, self.max_peers * 16 // 25)
            low = low if high is None else min(low, high - 1)
        if high is None:
            high = max(low + 1, self.max_peers * 96 // 125)
        return Watermarks(low, high, self.grace_s * 1000, self.silence_s * 1000)

    @property
    def max_connections(self) -> int:
        """Connections that the host allows: over the high watermark, so that it is reached."""
        return 2 * max(self.max_peers, self.watermarks.high)


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
        problems = list(_conflicts(config))
        if not problems:
            return config
    raise ConfigError(problems)


def _conflicts(config: Config) -> Iterator[str]:
    if config.target_peers > config.max_peers:
        yield "target_peers: must not be over max_peers"
    else:
        yield from _conflicts_of_marks(config)
    if config.mix == "on" and config.key_type != "secp256k1":
        yield "mix: needs key_type secp256k1"
    if config.rln == "on" and config.key_type != "secp256k1":
        yield "rln: needs key_type secp256k1"
    for key, of in (("rln_genesis", "genesis"), ("rln_registry", "registry")):
        if bool(getattr(config, key)) != (config.rln_membership == of):
            yield f"{key}: goes with rln_membership = {of}, and with no other"
    if config.rln_allocation_secret and config.rln_membership != "registry":
        yield "rln_allocation_secret: others can be registered at a registry only"


def _conflicts_of_marks(config: Config) -> Iterator[str]:
    try:
        marks = config.watermarks
    except ValueError:
        yield "low_peers: must be below high_peers"
        return
    if marks.low < config.target_peers:  # it would dial those again that it has trimmed
        yield "low_peers: neither it nor high_peers - 1 may be below target_peers"


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


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004 - as all readers do
    return value


def _key_type(value: object) -> str:
    if value not in {"secp256k1", "ed25519"}:
        raise ValueError("must be secp256k1 or ed25519")
    return str(value)


def _discovery_profile(value: object) -> str:
    if value not in {"local", "public"}:
        raise ValueError("must be local or public")
    return str(value)


def _announce(value: object) -> tuple[Address, ...]:
    addresses = _addresses(value)
    if any(address.peer_id or not address.port for address in addresses):
        raise ValueError("must be addresses with a port, and without /p2p")
    return addresses


def _one_of(*choices: str) -> Any:
    def read(value: object) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(value)

    return read


def _commitments(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_MEMBERS:
        raise ValueError(f"must be a list of up to {MAX_MEMBERS} commitments")
    read = [bytes.fromhex(each) if isinstance(each, str) else b"" for each in value]
    if any(
        len(each) != FIELD_BYTES or not 0 < int.from_bytes(each, "little") < MODULUS
        for each in read
    ):
        raise ValueError("a commitment has 64 hexadecimal digits, a field value in little-endian")
    if len(set(read)) != len(read):
        raise ValueError("a commitment stands twice in the list")
    return tuple(read)


def _text(most: int) -> Any:
    def read(value: object) -> str:
        if not (isinstance(value, str) and 0 < len(value.encode()) <= most):
            raise ValueError(f"must be a text of 1 to {most} bytes")
        return value

    return read


def _registry(value: object) -> str:
    read: str = _text(MAX_ADDRESS)(value)
    name = read.removeprefix(OF_MODULE)
    if name != read and not NAME.fullmatch(name):
        raise ValueError("must be module: and the name of a module, or an address")
    return read


def _folder(value: object) -> Path:
    if not (isinstance(value, str) and value.startswith("/") and len(value) <= MAX_PATH):
        raise ValueError("must be the absolute path of a folder")
    return Path(value)


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
    "low_peers": _number(0, 10_000),
    "high_peers": _number(1, 10_000),
    "grace_s": _number(0, 86_400),
    "silence_s": _number(0, 86_400),
    "peer_exchange": _flag,
    "max_streams": _number(1, 65_536),
    "max_gossip_bytes": _number(1, TOP_MESSAGE_BYTES),
    "gossip_protocol": _protocol,
    "kademlia_protocol": _protocol,
    "discovery_profile": _discovery_profile,
    "announce": _announce,
    "mix": _one_of("on", "off", "auto"),
    "mix_profile": _one_of(*PROFILES),
    "mix_key_epoch_s": _number(1, 30 * 86_400),
    "mix_exit": _flag,
    "tap": _flag,
    "rln": _one_of("on", "off", "auto"),
    "rln_limit": _number(1, 65_535),
    "rln_period_ms": _number(100, 3_600_000),
    "rln_membership": _one_of("announcements", "genesis", "registry"),
    "rln_genesis": _commitments,
    "rln_registry": _registry,
    "rln_allocation_secret": _text(MAX_SECRET),
    "genesis": _folder,
    "own_genesis": _folder,
}
