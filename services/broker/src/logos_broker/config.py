"""Settings of the broker: its environment, and the description of the testnet (KER-24)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from logos_base.errors import ConfigError
from logos_base.manifest import NAME
from logos_broker.core.containers import Described, Mount
from logos_module.environment import ADDRESS, parse_log_level

SCHEMA: Final = 1
MAX_DESCRIPTION_BYTES: Final = 1024 * 1024

Nodes = Mapping[str, Mapping[str, Described]]
"""The modules that each node may have."""


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of a broker."""

    nodes: Nodes
    listen: str
    """gRPC address to bind."""
    secrets_dir: Path
    """Each node's secret is in `<node>/secret` below it."""
    engine: str
    """Address of the engine, e.g. `unix:///var/run/docker.sock`."""
    log_level: str = "INFO"


def parse(variables: Mapping[str, str]) -> Config:
    """Reads the environment, or raises `ConfigError` with all problems."""
    problems: list[str] = []

    def required(name: str) -> str:
        if not variables.get(name):
            problems.append(f"{name}: must be set")
        return variables.get(name, "")

    listen, secrets_dir = required("LOGOS_LISTEN"), required("LOGOS_SECRETS_DIR")
    if listen and not ADDRESS.fullmatch(listen):
        problems.append(f"LOGOS_LISTEN: must be unix:/path or host:port, is {listen!r}")
    level = parse_log_level(variables, problems)
    nodes = _parse_description(required("LOGOS_DESCRIPTION_TOML"), problems)
    if problems:
        raise ConfigError(problems)
    engine = variables.get("LOGOS_ENGINE") or "unix:///var/run/docker.sock"
    return Config(nodes, listen, Path(secrets_dir), engine, level)


def _parse_description(text: str, problems: list[str]) -> Nodes:
    if not text:
        return {}
    if len(text.encode()) > MAX_DESCRIPTION_BYTES:
        problems.append(f"LOGOS_DESCRIPTION_TOML: is over {MAX_DESCRIPTION_BYTES} bytes")
        return {}
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problems.append(f"LOGOS_DESCRIPTION_TOML: not TOML: {error}")
        return {}
    if document.get("schema") != SCHEMA:
        problems.append(f"schema: must be {SCHEMA}, is {document.get('schema')!r}")
    nodes = _named(document.get("nodes"), "nodes", problems)
    return {
        node: {
            module: _described(table, f"nodes.{node}.{module}", problems)
            for module, table in _named(modules, f"nodes.{node}", problems).items()
        }
        for node, modules in nodes.items()
    }


def _named(value: object, where: str, problems: list[str]) -> Mapping[str, Any]:
    if isinstance(value, dict) and all(NAME.fullmatch(name) for name in value):
        return value
    problems.append(f"{where}: must be a table with names like {NAME.pattern}")
    return {}


def _described(value: object, where: str, problems: list[str]) -> Described:
    table = value if isinstance(value, dict) else {}
    texts = [table.get(key) for key in ("service", "image")]
    lists = [table.get(key) for key in ("volumes", "networks")]
    is_right = all(isinstance(text, str) and text for text in texts) and all(
        isinstance(each, list) and all(isinstance(one, str) for one in each) for each in lists
    )
    if not is_right or table.keys() != {"service", "image", "volumes", "networks"}:
        problems.append(f"{where}: must have service, image, volumes and networks, and no more")
        return Described("", "", frozenset(), frozenset())
    service, image = map(str, texts)
    mounts = (_mount(str(text), where, problems) for text in table["volumes"])
    return Described(service, image, frozenset(mounts), frozenset(table["networks"]))


def _mount(text: str, where: str, problems: list[str]) -> Mount:
    name, _, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if (
        not name
        or name.startswith((".", "/"))
        or not target.startswith("/")
        or mode not in {"", "ro"}
    ):
        problems.append(f"{where}: a volume is NAME:/PATH or NAME:/PATH:ro, not {text!r}")
    return Mount(name, target, is_writable=not mode)
