"""The settings of the chain module."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from logos_base.errors import ConfigError
from logos_module.http.listening import HttpListen, listen_problems, parse_listen

MAX_PEERS: Final = 64
MAX_SLOTS: Final = 10_000_000
MAX_FAUCET: Final = (1 << 63) - 1
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
    initial_peers: tuple[str, ...] = ()
    """Peer ids of nodes that the first download follows (CON-43)."""
    claim_delay_slots: int = 0
    """Mean delay after which rewards are claimed by themselves; 0: never."""
    faucet_value: int = 10_000
    """What the faucet pays at a time, at the node that has it."""
    is_testnet: bool = True
    """Which of the two protocol ids is spoken (CON-40)."""
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
    if "genesis" not in settings:
        problems.append("genesis: the folder with chain.json is missing; a testnet sets it")
    listen, is_enclosed = values.get("http"), values.get("http_enclosed", False)
    problems += listen_problems("http", listen, is_enclosed=is_enclosed)
    if problems:
        raise ConfigError(problems)
    return Config(**values)


def _folder(value: object) -> Path:
    if not isinstance(value, str) or not value:
        raise ValueError("the path of a folder")
    return Path(value)


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


def _peers(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError("a list of peer ids")
    if len(value) > MAX_PEERS:
        raise ValueError(f"at most {MAX_PEERS} peer ids")
    return tuple(value)


_READERS: Mapping[str, Callable[[object], Any]] = {
    "genesis": _folder,
    "own_genesis": _folder,
    "lead": _flag,
    "database_url": _url,
    "initial_peers": _peers,
    "claim_delay_slots": _between(0, MAX_SLOTS),
    "faucet_value": _between(1, MAX_FAUCET),
    "is_testnet": _flag,
    "http": parse_listen,
    "http_open": _flag,
    "http_enclosed": _flag,
}
