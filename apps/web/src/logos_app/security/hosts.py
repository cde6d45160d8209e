"""Which host names the app answers as. Against DNS rebinding: whole strings, no prefixes."""

from dataclasses import dataclass
from typing import Final

_LOCAL_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class Origin:
    """The one address at which the app's pages are."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """What browsers send as `Host`: the port is left out where it is the scheme's own."""
        default = {"http": 80, "https": 443}[self.scheme]
        return self.host if self.port == default else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The request names our host."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The request names another local name of this machine; the page is at `url`."""

    url: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The request names a host that is not ours."""

    seen: str


def judge_host(
    origin: Origin, host: str | None, target: str, *, is_local: bool
) -> Accepted | Elsewhere | Refused:
    """Compares a request's host with ours.

    Args:
        origin: Our address.
        host: The header; None if there is none, or more than one.
        target: Path and query of the request, to lead there.
        is_local: Whether the app serves loopback: its other names then lead to ours.
    """
    if host is None:
        return Refused("no host")
    named = host.lower()
    if named == origin.authority:
        return Accepted()
    others = {f"{name}:{origin.port}" for name in _LOCAL_NAMES}
    if is_local and named in others and target.startswith("/"):
        return Elsewhere(f"{origin}{target}")
    return Refused(host[:100])
