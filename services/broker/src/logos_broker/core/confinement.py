"""Whether a container is what the description allows, and no more (KER-24)."""

from collections.abc import Iterable
from typing import Final

from logos_broker.core.containers import Described, Mount, Seen

ALL: Final = "ALL"
_ROOT: Final = frozenset({"", "0", "root"})


def problems(seen: Seen, described: Described) -> list[str]:
    """Returns in what a container goes beyond its description; empty: it may be started."""
    found = []
    if seen.image != described.image:
        found.append(f"image is {seen.image}, not {described.image}")
    found += _beyond("mounts", map(_text, seen.mounts), map(_text, described.mounts))
    found += _beyond("networks", seen.networks, described.networks)
    if seen.is_privileged:
        found.append("it is privileged")
    if seen.added:
        found.append(f"has capabilities {', '.join(sorted(seen.added))}")
    if ALL not in seen.dropped:
        found.append("keeps the engine's default capabilities")
    if not seen.has_no_new_privileges:
        found.append("may gain privileges")
    if not seen.is_read_only:
        found.append("may write its image's files")
    if seen.user.partition(":")[0] in _ROOT:
        found.append("runs as root")
    if seen.shared:
        found.append(f"shares {', '.join(sorted(seen.shared))} with the engine's machine")
    if seen.restart not in {"", "no"}:
        found.append(f"is restarted by the engine too: {seen.restart}")
    return found


def _beyond(what: str, has: Iterable[str], may: Iterable[str]) -> list[str]:
    extra = sorted(set(has) - set(may))
    return [f"{what} beyond the described: {', '.join(extra)}"] if extra else []


def _text(mount: Mount) -> str:
    return f"{mount.name}:{mount.target}" + ("" if mount.is_writable else ":ro")
