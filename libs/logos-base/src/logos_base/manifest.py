"""A module's manifest, `module.toml`: read before the module runs.

Read by the kernel, by the harness and by the testnet. Every key is described in
docs/modules.md; the rule is KER-2.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from logos_base.errors import ConfigError
from logos_base.needs import Needs, parse_needs
from logos_base.restart import Restart, parse_restart
from logos_base.topics import TOPIC_PATTERN
from logos_base.versions import Range, parse_range

NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
SERVICE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+")
CALL: Final = re.compile(SERVICE.pattern + r"/(\*|[A-Za-z_][A-Za-z0-9_]*)")
VERSION: Final = re.compile(r"\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")
PYTHON_MODULE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
MAX_MANIFEST_BYTES: Final = 64 * 1024
MIN_WATCHDOG_MS: Final = 100

_KEYS: Final = frozenset(
    {
        "name",
        "version",
        "description",
        "command",
        "requires",
        "wants",
        "binds",
        "services",
        "calls",
        "subscribes",
        "preload",
        "restart",
        "group",
        "watchdog_ms",
        "settings",
        "exclusive",
        "testnet",
    }
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The manifest of one module."""

    name: str
    version: str
    description: str = ""
    command: tuple[str, ...] = ()
    """Program and arguments; `python` as the program is the kernel's own interpreter."""
    requires: tuple[str, ...] = ()
    """Modules that must be READY before this one is started."""
    services: tuple[str, ...] = field(default=())
    """Full names of the gRPC services that the node's front door routes to it."""
    calls: tuple[str, ...] = ()
    """What it calls of other modules: `package.Service/Method` or `package.Service/*` (KER-17)."""
    subscribes: tuple[str, ...] = ()
    """Topics of other modules that it reads: `module/event`, `module/*` or `*` (KER-36)."""
    preload: tuple[str, ...] = ()
    """Python modules that a testnet's fork server loads for it; if empty, it is not forked."""
    wants: tuple[str, ...] = ()
    """Modules that are started with it, if the node has them; it does not wait for them."""
    binds: tuple[str, ...] = ()
    """Like `requires`; and it ends whenever one of these does."""
    ranges: Mapping[str, Range] = field(default_factory=dict)
    """Versions that it can do with, of the modules that it names."""
    restart: Restart = field(default_factory=Restart)
    """How it is restarted, where it differs from its kernel's figures."""
    watchdog_ms: int | None = None
    """It is restarted when it makes no progress for so long; None: progress is not asked for."""
    group: str = ""
    """The group that it is restarted with; empty if none."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """JSON Schema of its settings (KER-40); empty if it declares none."""
    exclusive: bool = False
    """Whether two processes of it must never run side by side: it keeps state (KER-48)."""
    needs: Needs = field(default_factory=Needs)
    """Its requirements on a testnet; the kernel does not read them."""

    @property
    def prerequisites(self) -> tuple[str, ...]:
        """All modules that must be READY before it is started."""
        return (*self.requires, *self.binds)


def parse_manifest(text: str) -> Manifest:
    """Reads a manifest, or raises `ConfigError` with every problem in it."""
    if len(text.encode()) > MAX_MANIFEST_BYTES:
        raise ConfigError([f"manifest is larger than {MAX_MANIFEST_BYTES} bytes"])
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"manifest is not TOML: {error}"]) from error
    problems = [f"{key}: unknown key" for key in sorted(document.keys() - _KEYS)]
    name = _text(document, "name", NAME, problems)
    version = _text(document, "version", VERSION, problems)
    description = document.get("description", "")
    if not isinstance(description, str):
        problems.append("description: must be a string")
    command = _list(document, "command", None, problems)
    ranges: dict[str, Range] = {}
    requires, wants, binds = (
        _dependencies(document, key, name, ranges, problems)
        for key in ("requires", "wants", "binds")
    )
    services = _list(document, "services", SERVICE, problems)
    calls = _list(document, "calls", CALL, problems)
    subscribes = _list(document, "subscribes", TOPIC_PATTERN, problems)
    preload = _list(document, "preload", PYTHON_MODULE, problems)
    if preload and (len(command) < 3 or command[:2] != ("python", "-m")):
        problems.append("preload: needs a command that begins with python -m MODULE")
    restart = parse_restart(document.get("restart", {}), "restart", problems)
    group = _text(document, "group", NAME, problems) if "group" in document else ""
    watchdog_ms = document.get("watchdog_ms")
    is_number = isinstance(watchdog_ms, int) and not isinstance(watchdog_ms, bool)
    if watchdog_ms is not None and not (is_number and watchdog_ms >= MIN_WATCHDOG_MS):
        problems.append(
            f"watchdog_ms: must be a whole number from {MIN_WATCHDOG_MS}, is {watchdog_ms!r}"
        )
    settings = document.get("settings", {})
    if not isinstance(settings, dict):
        problems.append("settings: must be a table, a JSON Schema")
    exclusive = document.get("exclusive", False)
    if not isinstance(exclusive, bool):
        problems.append(f"exclusive: must be true or false, is {exclusive!r}")
    needs = parse_needs(document.get("testnet", {}), problems)
    if problems:
        raise ConfigError(problems)
    return Manifest(
        name=name,
        version=version,
        description=str(description),
        command=command,
        requires=requires,
        services=services,
        calls=calls,
        subscribes=subscribes,
        preload=preload,
        wants=wants,
        binds=binds,
        ranges=ranges,
        restart=restart,
        group=group,
        watchdog_ms=watchdog_ms,
        settings=settings,
        exclusive=bool(exclusive),
        needs=needs,
    )


def _dependencies(
    document: dict[str, object], key: str, own: str, ranges: dict[str, Range], problems: list[str]
) -> tuple[str, ...]:
    """Reads names of modules, each with or without a range of versions: `storage >=0.1,<0.3`."""
    names = []
    for entry in _list(document, key, None, problems):
        name, _, text = entry.partition(" ")
        if not NAME.fullmatch(name):
            problems.append(f"{key}: {entry!r} does not begin with a name like {NAME.pattern}")
            continue
        if name == own:
            problems.append(f"{key}: a module cannot name itself")
        if name in names:
            problems.append(f"{key}: names {name} twice")
        names.append(name)
        try:
            if text and ranges.setdefault(name, parse_range(text)).text != text.strip():
                problems.append(f"{key}: {name} has another range elsewhere")
        except ValueError as error:
            problems.append(f"{key}: {entry!r}: {error}")
    return tuple(names)


def _text(
    document: dict[str, object], key: str, pattern: re.Pattern[str], problems: list[str]
) -> str:
    value = document.get(key)
    if isinstance(value, str) and pattern.fullmatch(value):
        return value
    problems.append(f"{key}: must be a string that matches {pattern.pattern}, is {value!r}")
    return ""


def _list(
    document: dict[str, object], key: str, pattern: re.Pattern[str] | None, problems: list[str]
) -> tuple[str, ...]:
    value = document.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        problems.append(f"{key}: must be a list of strings")
        return ()
    if pattern is not None:
        problems.extend(
            f"{key}: {item!r} does not match {pattern.pattern}"
            for item in value
            if not pattern.fullmatch(item)
        )
    if len(set(value)) != len(value) and pattern is not None:
        problems.append(f"{key}: lists an entry twice")
    return tuple(value)
