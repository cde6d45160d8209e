"""Members of a registry's service, by gRPC: `logos.network.v1.Registry` (RLN-30)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import grpc

from logos.network.v1 import registry_pb2 as pb
from logos.network.v1.registry_pb2_grpc import RegistryStub
from logos_crypto.hashes import FIELD_BYTES, MODULUS
from logos_mixnet.core.rln.allocation import Allocated
from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.errors import (
    AllocationRefusedError,
    RegistrationClosedError,
    RegistrationPendingError,
    RegistryUnavailableError,
)
from logos_mixnet.core.rln.ports import Registry
from logos_mixnet.core.rln.slashing import SlashRecord
from logos_mixnet.store.rln import SqlMembers
from logos_module.errors import reason_of
from logos_module.neighbours import CallsDeniedError

if TYPE_CHECKING:
    from logos.network.v1.registry_pb2_grpc import RegistryAsyncStub

Connect = Callable[[], Awaitable[grpc.aio.Channel]]
"""Errors: those of `ModuleContext.channel`."""

TIMEOUT_S: Final = 10.0
MAX_MEMBERS: Final = 1 << 20
"""Leaves of the tree."""


class RegistryMembers:
    """`MembershipStore` over a registry, with the slashes of this node's own finding."""

    def __init__(self, connect: Connect, slashes: SqlMembers) -> None:
        """
        Args:
            connect: Returns the channel to the registry, the same one each time. It may wait for
                long: a module of this node may need the network before it is ready.
            slashes: What this node has found itself.
        """
        self._connect = connect
        self._slashes = slashes

    async def load(self) -> Registry:
        """Returns what this node has found itself: the registry may be away when it starts.

        Members come by `watch`, and there is no root before.
        """
        return replace(await self._slashes.load(), genesis=(), is_open=False)

    async def watch(self) -> AsyncIterator[Registry]:
        own = await self._slashes.load()
        commitments: list[bytes] = []
        slashed: set[bytes] = set(own.slashed)
        with _registry_errors():
            stub = await self._stub()
            async for response in stub.WatchMembers(pb.WatchMembersRequest()):
                for member in response.members:
                    _place(commitments, member)
                    if member.slashed:
                        slashed.add(member.commitment)
                if response.complete:
                    yield replace(own, genesis=tuple(commitments), slashed=frozenset(slashed))
        raise RegistryUnavailableError("the registry has ended its stream")

    async def register(self, commitment: bytes, limit: int) -> None:
        await self.allocate(commitment, limit)

    async def allocate(self, commitment: bytes, limit: int) -> Allocated:
        """Registers a member; returns what the registry says of it, which names no root."""
        request = pb.RegisterMemberRequest(commitment=commitment, limit=limit)
        with _registry_errors():
            stub = await self._soon()
            done = await stub.RegisterMember(request, timeout=TIMEOUT_S)
        return Allocated(done.leaf_index, b"", done.block_number, done.transaction_hash)

    async def save_announcement(
        self,
        _announcement: Announcement,
        _displaced: bytes | None = None,
        _forgotten: frozenset[bytes] = frozenset(),
    ) -> None:
        """Refuses: members are the registry's."""
        raise RegistrationClosedError("members of this network are those of its registry")

    async def save_slash(self, record: SlashRecord, commitment: bytes) -> None:
        """Keeps it here, and reports it: the registry removes the member for all nodes."""
        await self._slashes.save_slash(record, commitment)
        request = pb.ReportSlashRequest(record=record.encode())
        with _registry_errors():
            stub = await self._soon()
            await stub.ReportSlash(request, timeout=TIMEOUT_S)

    async def _stub(self) -> "RegistryAsyncStub":
        stub: RegistryAsyncStub = RegistryStub(await self._connect())
        return stub

    async def _soon(self) -> "RegistryAsyncStub":
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._stub()
        except TimeoutError as error:
            raise RegistryUnavailableError("the registry's module is not ready") from error


async def allocate(
    registry: RegistryMembers, network_limit: int, commitment: bytes, limit: int | None
) -> Allocated:
    """Registers a member for another node; the limit is the network's, unless asked for."""
    return await registry.allocate(commitment, network_limit if limit is None else limit)


def _place(commitments: list[bytes], member: pb.RegisteredMember) -> None:
    value = int.from_bytes(member.commitment, "little")
    if len(member.commitment) != FIELD_BYTES or not 0 < value < MODULUS:
        raise RegistryUnavailableError("the registry names a commitment that is no field value")
    at = member.leaf_index
    if at < len(commitments) and commitments[at] == member.commitment:
        return
    if at != len(commitments) or at >= MAX_MEMBERS or member.commitment in commitments:
        raise RegistryUnavailableError("the registry names leaves out of their order")
    commitments.append(member.commitment)


@contextmanager
def _registry_errors() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        reason = reason_of(error) or error.code().name
        if reason == RegistrationPendingError.reason:
            raise RegistrationPendingError("the registry goes on: ask again") from error
        if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}:
            raise RegistryUnavailableError(f"the registry does not answer: {reason}") from error
        raise AllocationRefusedError(f"the registry refuses: {reason}") from error
    except CallsDeniedError as error:
        raise RegistryUnavailableError(f"this node may not call the registry: {error}") from error
