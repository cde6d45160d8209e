"""Which testnet a command means: the one that is named, else the only one that can be meant.

A testnet exists when its folder below the state root holds the topology that was
started last. Nothing here guesses: several are a question, an unknown name is an error.
"""

from pathlib import Path

from logos_testnet.errors import AmbiguousTestnetError, UnknownTestnetError
from logos_testnet.layout import layout_of


def known_testnets(state_root: Path) -> list[str]:
    """The names of all testnets that exist."""
    return sorted(path.parent.name for path in state_root.glob("*/topology.toml"))


def named(state_root: Path, name: str) -> str:
    """The testnet of that name.

    Raises:
        UnknownTestnetError: There is none; the message says which there are.
    """
    known = known_testnets(state_root)
    if name in known:
        return name
    there = f"there are {', '.join(known)}" if known else "there is none"
    raise UnknownTestnetError(f"there is no testnet {name!r} in {state_root}; {there}")


def chosen(state_root: Path, name: str | None) -> str | None:
    """The testnet that a command works on.

    Args:
        state_root: `.logos`.
        name: What the user said, if anything.

    Returns:
        The one that was named; else the only one that is up; else the only one there
        is; None if there is none.

    Raises:
        UnknownTestnetError: None has that name.
        AmbiguousTestnetError: Several could be meant.
    """
    if name is not None:
        return named(state_root, name)
    known = known_testnets(state_root)
    if len(known) <= 1:
        return next(iter(known), None)
    from logos_testnet.presence import is_up  # noqa: PLC0415 - mostly there is but one

    up = [each for each in known if is_up(layout_of(state_root, each))]
    if len(up) == 1:
        return up[0]
    if up:
        raise _question("several testnets are up", up)
    raise _question("several testnets are here, none of them up", known)


def chosen_to_start(state_root: Path, name: str | None) -> str | None:
    """The testnet that is started again: as `chosen`, but whatever is up."""
    if name is not None:
        return named(state_root, name)
    known = known_testnets(state_root)
    if len(known) > 1:
        raise _question("several testnets are here", known)
    return next(iter(known), None)


def _question(why: str, names: list[str]) -> AmbiguousTestnetError:
    return AmbiguousTestnetError(
        f"{why}: {', '.join(names)}; say which with --testnet NAME, or in LOGOS_TESTNET"
    )
