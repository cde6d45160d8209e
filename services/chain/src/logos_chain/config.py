"""The settings of the chain module."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from logos_base.errors import ConfigError
from logos_mantle.octets import HASH_BYTES
from logos_module.http.listening import HttpListen, listen_problems, parse_listen

MAX_PEERS: Final = 64
MAX_SLOTS: Final = 10_000_000
MAX_FAUCET: Final = (1 << 63) - 1
MAX_LIMIT: Final = 65_535
KEY_BYTES: Final = 32
OF_GENESIS: Final = (
    "preset",
    "chain_id",
    "genesis_stake",
    "genesis_faucet",
    "genesis_time",
    "seed",
)
"""Of the genesis job alone (GEN-2): a node goes by the specification that it has made."""


@dataclass(frozen=True, slots=True)
class Config:
    """Settings with their defaults."""

    genesis: Path
    """The folder with the chain specification and keys of circuits."""
    own_genesis: Path | None = None
    """The folder with the phrases of this node's first wallets; None: it has none."""
    lead: bool = True
    """Whether this node makes blocks, until an operator switches it (LEA-1)."""
    database_url: str = ""
    """PostgreSQL database of the chain, `postgresql+asyncpg://…`; empty: a file of this node."""
    checkpoint: Path | None = None
    """The checkpoint that a fresh node begins with; None: it begins with the genesis (CKP-7)."""
    checkpoint_hash: bytes = b""
    """Its hash, 32 bytes, as others have told it; empty: any is taken."""
    initial_peers: tuple[str, ...] = ()
    """Peer ids of nodes that the first download follows (CON-43)."""
    claim_delay_slots: int = 0
    """Mean delay after which rewards are claimed by themselves; 0: never."""
    faucet_value: int = 10_000
    """What the faucet pays at a time, at the node that has it."""
    is_testnet: bool = True
    """Which of the two protocol ids is spoken (CON-40)."""
    rln_registry: bool = False
    """Whether the registry of rate limits' members is read and served (RLC-1)."""
    rln_limit: int = 100
    """Messages of a member in an epoch: that of the network (RLN-2)."""
    rln_stake: int = 1_000
    """Tokens that a registration locks."""
    rln_keeper: bytes | None = None
    """Ed25519 key that disposes of the stakes; None: they stay where they are (RLC-2)."""
    rln_keeper_key: Path | None = None
    """File with that key's secret: this node pays rewards out of stakes (RLC-12)."""
    http: HttpListen | None = None
    """Where the HTTP interface is served (HTP-1); None: nowhere."""
    http_open: bool = False
    """Whether it takes requests of any program of this machine, without a token (HTP-3)."""
    http_enclosed: bool = False
    """Whether this node is alone in a container, whose ports are published on loopback alone."""


def parse(settings: Mapping[str, object]) -> Config:
    """Reads the settings.

    Raises:
        ConfigError: With all problems at once.
    """
    known = {*_READERS, *OF_GENESIS}
    problems = [f"unknown setting {name}" for name in sorted(settings.keys() - known)]
    values: dict[str, Any] = {}
    for name, read in _READERS.items():
        if name in settings:
            try:
                values[name] = read(settings[name])
            except ValueError as error:
                problems.append(f"{name}: {error}")
    if settings.get("checkpoint_hash") and not settings.get("checkpoint"):
        problems.append("checkpoint_hash: the path of its checkpoint is missing")
    if "genesis" not in settings:
        problems.append("genesis: the folder with chain.json is missing; a testnet sets it")
    listen, is_enclosed = values.get("http"), values.get("http_enclosed", False)
    problems += listen_problems("http", listen, is_enclosed=is_enclosed)
    if problems:
        raise ConfigError(problems)
    return Config(**values)


def _path(value: object) -> Path:
    if not isinstance(value, str) or not value:
        raise ValueError("a path")
    return Path(value)


def _file(value: object) -> Path | None:
    if not isinstance(value, str):
        raise ValueError("the path of a file")  # noqa: TRY004 -- all problems are told together
    return Path(value) if value else None


def _hash(value: object) -> bytes:
    try:
        found = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else b"?"
    except ValueError:
        found = b"?"
    if len(found) not in {0, HASH_BYTES}:
        raise ValueError("64 hexadecimal digits")
    return found


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 -- all problems are told together
    return value


def _between(least: int, most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return value

    return read


def _url(value: object) -> str:
    if not isinstance(value, str) or (value and not value.startswith("postgresql+asyncpg://")):
        raise ValueError("empty, or postgresql+asyncpg://USER:PASSWORD@HOST/DATABASE")
    return value


def _key(value: object) -> bytes | None:
    if value == "":
        return None
    try:
        raw = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        raw = b""
    if len(raw) != KEY_BYTES:
        raise ValueError("empty, or an Ed25519 key of 32 bytes in hexadecimal")
    return raw


def _peers(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError("a list of peer ids")
    if len(value) > MAX_PEERS:
        raise ValueError(f"at most {MAX_PEERS} peer ids")
    return tuple(value)


_READERS: Mapping[str, Callable[[object], Any]] = {
    "genesis": _path,
    "own_genesis": _path,
    "lead": _flag,
    "database_url": _url,
    "checkpoint": _file,
    "checkpoint_hash": _hash,
    "initial_peers": _peers,
    "claim_delay_slots": _between(0, MAX_SLOTS),
    "faucet_value": _between(1, MAX_FAUCET),
    "is_testnet": _flag,
    "rln_registry": _flag,
    "rln_limit": _between(1, MAX_LIMIT),
    "rln_stake": _between(1, MAX_FAUCET),
    "rln_keeper": _key,
    "rln_keeper_key": _path,
    "http": parse_listen,
    "http_open": _flag,
    "http_enclosed": _flag,
}
