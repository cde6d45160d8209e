"""Finds the token that a command bears: the given one, else that of the node's testnet."""

import asyncio
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from logos_base.errors import ErrorKind, LogosError
from logos_cli.target import state_root
from logos_client.channels import stays_here
from logos_client.token_file import BEARER, TokenFileError, read_token
from logos_testnet.choosing import known_testnets
from logos_testnet.endpoints import read_endpoints
from logos_testnet.errors import EngineError, UnreadableStateError
from logos_testnet.layout import Layout, layout_of

_ENGINE_TIMEOUT_S: Final = 10.0


class MalformedTokenError(LogosError):
    """LOGOS_TOKEN holds something else than a token."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "TOKEN_MALFORMED"


async def token_for(address: str, file: Path | None) -> str | None:
    """Returns the token for a front door; None if none is found, which the node then refuses.

    Args:
        address: The front door.
        file: The user's choice, which goes before all others.

    Raises:
        MalformedTokenError: LOGOS_TOKEN holds no token.
        TokenFileError: A file cannot be read, or holds no token.
    """
    if (given := _given(file)) is not None:
        return given
    if not stays_here(address):
        return None
    layouts = _latest_first()
    return (
        _kept_by(layouts, address, _ports_while_up)
        # What has no endpoints was started by compose alone, or its `up` has failed.
        or await _printed_at(address)
        or _kept_by(layouts, address, _ports_of_topology)
    )


def _given(file: Path | None) -> str | None:
    """Returns the token of `--token-file`, else of LOGOS_TOKEN, else of LOGOS_TOKEN_FILE."""
    if file is None and (text := os.environ.get("LOGOS_TOKEN", "").strip()):
        if BEARER.fullmatch(text) is None:
            raise MalformedTokenError(
                "LOGOS_TOKEN holds no token of an operator: that is `logos_` and 43 characters"
            )
        return text
    named = file or os.environ.get("LOGOS_TOKEN_FILE")
    if not named:
        return None
    token = read_token(Path(named))
    if token is None:
        raise TokenFileError(f"{named} does not exist")
    return token


def _latest_first() -> list[Layout]:
    """Returns all testnets of this machine, by the time of their last start."""
    root = state_root(make=True)
    layouts = (layout_of(root, name) for name in known_testnets(root))
    return sorted(layouts, key=lambda layout: layout.topology.stat().st_mtime, reverse=True)


def _kept_by(
    layouts: list[Layout], address: str, ports: Callable[[Layout], Iterable[str]]
) -> str | None:
    """Returns the token that the first testnet with this front door keeps."""
    for layout in layouts:
        with suppress(UnreadableStateError):  # a command for that testnet reports it
            if _port(address) in ports(layout):
                return read_token(layout.operator_token)
    return None


def _ports_while_up(layout: Layout) -> set[str]:
    endpoints = read_endpoints(layout.endpoints)
    return set() if endpoints is None else {_port(node.kernel) for node in endpoints.nodes}


def _ports_of_topology(layout: Layout) -> set[str]:
    from logos_cli.addresses import of_topology  # noqa: PLC0415 - not for what is up

    return {_port(address) for _, address in of_topology(layout) or ()}


def _port(address: str) -> str:
    return address.rpartition(":")[2]


async def _printed_at(address: str) -> str | None:
    """Asks the container that publishes the port for the token, if there is one."""
    from logos_testnet import engine  # noqa: PLC0415 - not for what `up` has started

    port = _port(address)
    if not port.isdecimal():
        return None
    with suppress(EngineError, TimeoutError):  # the node's refusal says how to get one
        async with asyncio.timeout(_ENGINE_TIMEOUT_S):
            publisher = await engine.publisher_of(int(port))
            if publisher is None:
                return None
            text = (
                await engine.run_docker(["exec", publisher.container, engine.TOKEN_PROGRAM])
            ).strip()
            return text if BEARER.fullmatch(text) else None
    return None
