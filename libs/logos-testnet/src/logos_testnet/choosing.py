"""Chooses the testnet of a command: the named one, else the only candidate.

A testnet exists if its folder below the state root holds the topology that was started last.
Nothing here guesses: several candidates and unknown names are errors.
"""

from pathlib import Path

from logos_testnet.errors import AmbiguousTestnetError, UnknownTestnetError
from logos_testnet.layout import layout_of


def known_testnets(state_root: Path) -> list[str]:
    """Returns the names of all testnets that exist."""
    return sorted(path.parent.name for path in state_root.glob("*/topology.toml"))


def named(state_root: Path, name: str) -> str:
    """Returns the name if a testnet has it.

    Raises:
        UnknownTestnetError: There is none; the message lists those that exist.
    """
    known = known_testnets(state_root)
    if name in known:
        return name
    existing = f"there are {', '.join(known)}" if known else "there is none"
    raise UnknownTestnetError(f"there is no testnet {name!r} in {state_root}; {existing}")


def chosen(state_root: Path, name: str | None) -> str | None:
    """Returns the testnet that a command works on.

    Args:
        state_root: `.logos`.
        name: The user's choice, if any.

    Returns:
        The named testnet; else the only one that is up; else the only one that exists;
        None if there is none.

    Raises:
        UnknownTestnetError: No testnet has that name.
        AmbiguousTestnetError: There are several candidates.
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
        raise _ambiguous("several testnets are up", up)
    raise _ambiguous("several testnets exist, none of them up", known)


def chosen_to_start(state_root: Path, name: str | None) -> str | None:
    """Returns the testnet to start again: as `chosen`, but whether or not others are up."""
    if name is not None:
        return named(state_root, name)
    known = known_testnets(state_root)
    if len(known) > 1:
        raise _ambiguous("several testnets exist", known)
    return next(iter(known), None)


def _ambiguous(why: str, names: list[str]) -> AmbiguousTestnetError:
    return AmbiguousTestnetError(
        f"{why}: {', '.join(names)}; choose one with --testnet NAME or LOGOS_TESTNET"
    )
