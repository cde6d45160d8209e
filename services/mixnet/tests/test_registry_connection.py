"""RLN-40: where a mixnet finds the registry of its members."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from mixnet_registry import TestRegistry, serving

from logos_mixnet.core.rln.errors import RegistrationPendingError, RegistryUnavailableError
from logos_mixnet.node import connection
from logos_mixnet.store import rln_registry
from logos_mixnet.store.rln_registry import RegistryMembers
from logos_module.neighbours import CallsDeniedError
from mixnet_memory_stores import MemoryMembers

COMMITMENT = (5).to_bytes(32, "little")


def members(connect: Any) -> RegistryMembers:
    slashes: Any = MemoryMembers()
    return RegistryMembers(connect, slashes)


async def test_a_module_of_the_node_is_asked_for_when_it_is_needed(tmp_path: Path) -> None:
    registry = TestRegistry(10)
    async with serving(registry, tmp_path / "registry.sock") as channel:
        asked: list[str] = []

        async def find(module: str) -> grpc.aio.Channel:
            asked.append(module)
            return channel

        context: Any = SimpleNamespace(channel=find)
        async with connection("module:chain", context) as connect:
            made = members(connect)
            assert asked == []
            await made.register(COMMITMENT, 10)
        assert asked == ["chain"]
    assert COMMITMENT in registry.members


async def test_an_address_is_connected_to(tmp_path: Path) -> None:
    registry, context = TestRegistry(10), SimpleNamespace()
    async with serving(registry, tmp_path / "registry.sock"):
        any_: Any = context
        async with connection(f"unix:{tmp_path / 'registry.sock'}", any_) as connect:
            assert await connect() is await connect()
            await members(connect).register(COMMITMENT, 10)
    assert COMMITMENT in registry.members


async def test_a_module_that_is_not_ready_is_waited_for_no_longer_than_a_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rln_registry, "TIMEOUT_S", 0.01)

    async def never() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(RegistryUnavailableError, match="not ready"):
        await members(never).register(COMMITMENT, 10)


async def test_a_module_that_may_not_be_called_is_not_available() -> None:
    async def denied() -> Any:
        raise CallsDeniedError("no")

    with pytest.raises(RegistryUnavailableError, match="may not call"):
        await members(denied).register(COMMITMENT, 10)


async def test_a_registration_under_way_has_an_error_of_its_own(tmp_path: Path) -> None:
    class Pending(TestRegistry):
        async def RegisterMember(self, request: Any, context: Any) -> Any:  # noqa: N802
            raise RegistrationPendingError("it goes on")

    async with serving(Pending(10), tmp_path / "registry.sock") as channel:

        async def connect() -> grpc.aio.Channel:
            return channel

        with pytest.raises(RegistrationPendingError, match="ask again"):
            await members(connect).register(COMMITMENT, 10)
