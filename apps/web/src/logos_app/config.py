"""Settings of the app, from its environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from logos_app.security.hosts import Origin
from logos_base.errors import ConfigError

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
_MODULE: Final = re.compile(r"[a-z][a-z0-9-]{0,63}")
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_LISTEN: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[0-9.]+):([0-9]{1,5})")
_FRONT: Final = re.compile(r"\S+:[0-9]{1,5}")
MAX_NODES: Final = 100


@dataclass(frozen=True, slots=True)
class Front:
    """The front door of a node."""

    name: str
    address: str
    """gRPC target."""


@dataclass(frozen=True, slots=True)
class Other:
    """A panel of a third party's module, by address."""

    module: str
    title: str
    address: str
    """Host and port, HTTP."""

    @property
    def slug(self) -> str:
        """Its name in addresses: the module's."""
        return self.module


@dataclass(frozen=True, slots=True)
class Tls:
    """Files of the app's certificate, PEM."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of the app."""

    testnet: str
    fronts: tuple[Front, ...]
    """In the order of the topology, which is the order on the pages."""
    operator_token: Path
    """File with the token of an operator; the browser never sees it."""
    state_dir: Path
    listen_host: str
    listen_port: int
    origin: Origin
    tls: Tls | None = None
    panels: tuple[Path, ...] = ()
    """Further folders with panels."""
    others: tuple[Other, ...] = ()
    is_enclosed: bool = False
    """In a container whose port is published on loopback alone; so are those to front doors."""

    @property
    def is_local(self) -> bool:
        """Whether browsers reach it by loopback."""
        return self.tls is None

    @property
    def links(self) -> Path:
        """Folder with the hashes of one-time codes."""
        return self.state_dir / "links"

    @property
    def sessions(self) -> Path:
        """File with the hashes of sessions."""
        return self.state_dir / "sessions.json"


def parse(variables: Mapping[str, str]) -> Config:
    """Reads the environment; raises `ConfigError` with all problems."""
    problems: list[str] = []

    def required(name: str) -> str:
        if not variables.get(name):
            problems.append(f"{name}: must be set")
        return variables.get(name, "")

    testnet = required("LOGOS_APP_TESTNET")
    if testnet and not _NAME.fullmatch(testnet):
        problems.append(f"LOGOS_APP_TESTNET: must be the name of a testnet, is {testnet!r}")
    fronts = _fronts(required("LOGOS_APP_NODES"), problems)
    token, state = required("LOGOS_OPERATOR_TOKEN"), required("LOGOS_STATE_DIR")
    address, port = _listen(required("LOGOS_LISTEN"), problems)
    tls = _tls(variables, problems)
    host = variables.get("LOGOS_APP_HOST", "")
    if host and not _HOST.fullmatch(host):
        problems.append(f"LOGOS_APP_HOST: must be a host name in lower case, is {host!r}")
    enclosed = variables.get("LOGOS_APP_ENCLOSED") == "1"
    if tls is None and not enclosed:
        _refuse_clear_text(address, problems)
    others = _others(variables.get("LOGOS_APP_OTHERS", ""), problems)
    public = _public_port(variables, port, problems)
    if problems:
        raise ConfigError(problems)
    scheme = "http" if tls is None else "https"
    return Config(
        testnet=testnet,
        fronts=fronts,
        operator_token=Path(token),
        state_dir=Path(state),
        listen_host=address,
        listen_port=port,
        origin=Origin(scheme, host or f"{testnet}.localhost", public),
        tls=tls,
        panels=tuple(
            Path(word) for word in variables.get("LOGOS_APP_PANELS", "").split(":") if word
        ),
        others=others,
        is_enclosed=enclosed,
    )


def _fronts(text: str, problems: list[str]) -> tuple[Front, ...]:
    """Reads `node1=127.0.0.1:17001 node2=…`."""
    fronts = []
    for word in text.split():
        name, _, address = word.partition("=")
        if _NAME.fullmatch(name) and _FRONT.fullmatch(address):
            fronts.append(Front(name, address))
        else:
            problems.append(
                f"LOGOS_APP_NODES: must be words like node1=127.0.0.1:17001, not {word}"
            )
    if len(fronts) > MAX_NODES:
        problems.append(f"LOGOS_APP_NODES: names {len(fronts)} nodes, over {MAX_NODES}")
    if len({front.name for front in fronts}) < len(fronts):
        problems.append("LOGOS_APP_NODES: names a node twice")
    return tuple(fronts)


def _others(text: str, problems: list[str]) -> tuple[Other, ...]:
    """Reads `hello:Hello%20there=127.0.0.1:20500 …`: module, title in percent-encoding, address."""
    found = []
    for word in text.split():
        name, _, address = word.partition("=")
        module, _, title = name.partition(":")
        if _MODULE.fullmatch(module) and title and _FRONT.fullmatch(address):
            found.append(Other(module, unquote(title)[:40], address))
        else:
            problems.append(f"LOGOS_APP_OTHERS: must be words as hello:Hello=HOST:PORT, not {word}")
    return tuple(found)


def _listen(text: str, problems: list[str]) -> tuple[str, int]:
    found = _LISTEN.fullmatch(text)
    if found is None or int(found[2]) > 65535:
        if text:
            problems.append(f"LOGOS_LISTEN: must be an IP address and a port, is {text!r}")
        return "127.0.0.1", 0
    return found[1].strip("[]"), int(found[2])


def _tls(variables: Mapping[str, str], problems: list[str]) -> Tls | None:
    certificate, key = variables.get("LOGOS_APP_TLS_CERT"), variables.get("LOGOS_APP_TLS_KEY")
    if not certificate and not key:
        return None
    if not certificate or not key:
        problems.append("LOGOS_APP_TLS_CERT and LOGOS_APP_TLS_KEY: both or none")
        return None
    if not variables.get("LOGOS_APP_HOST"):
        problems.append("LOGOS_APP_HOST: must be the host that the certificate names")
    return Tls(Path(certificate), Path(key))


def _public_port(variables: Mapping[str, str], port: int, problems: list[str]) -> int:
    """The port that browsers use: another one where a container's is published."""
    text = variables.get("LOGOS_APP_PUBLIC_PORT")
    if text is None:
        return port
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    problems.append(f"LOGOS_APP_PUBLIC_PORT: must be a port, is {text!r}")
    return port


def _refuse_clear_text(address: str, problems: list[str]) -> None:
    try:
        is_loopback = ip_address(address).is_loopback
    except ValueError:
        problems.append(f"LOGOS_LISTEN: {address!r} is no IP address")
        return
    if not is_loopback:
        problems.append(
            f"LOGOS_LISTEN: {address} is not loopback, so whoever is on the way could read and act;"
            " give a certificate by LOGOS_APP_TLS_CERT and LOGOS_APP_TLS_KEY and its host name by"
            " LOGOS_APP_HOST, or listen at 127.0.0.1"
        )
