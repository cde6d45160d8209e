"""Serves `logos.network.v1.Registry`. The contract lists the errors; here they are only raised."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final

from logos.network.v1 import registry_pb2 as pb
from logos.network.v1.registry_pb2_grpc import RegistryServicer as Contract
from logos_chain.core.registry.errors import RegistryOffError, SlashMalformedError
from logos_chain.core.registry.evidence import identity_of_record, identity_of_secret
from logos_chain.core.registry.registry import Member
from logos_chain.operations.registry.members import MembersSeen, RegistryOperations
from logos_module.contexts import Context

MAX_TOLD: Final = 10_000
"""Members in one response: half a megabyte."""


class RegistryServicer(Contract):
    """One per process; holds no state of its own."""

    def __init__(self, registry: RegistryOperations | None) -> None:
        """Without operations, every call says that there is no registry here (RLC-1)."""
        self._on = registry

    @property
    def _registry(self) -> RegistryOperations:
        if self._on is None:
            raise RegistryOffError("this node keeps no registry: set rln_registry of chain to true")
        return self._on

    async def WatchMembers(
        self, request: pb.WatchMembersRequest, context: Context
    ) -> AsyncIterator[pb.WatchMembersResponse]:
        """Streams the members, and then changes."""
        async with aclosing(self._registry.watch()) as states:
            async for seen in states:
                for response in _responses(seen):
                    yield response

    async def RegisterMember(
        self, request: pb.RegisterMemberRequest, context: Context
    ) -> pb.RegisterMemberResponse:
        """Registers a commitment, and waits until that is final."""
        member = await self._registry.register(request.commitment, request.limit)
        return pb.RegisterMemberResponse(
            leaf_index=member.leaf,
            block_number=member.height,
            transaction_hash=member.transaction,
        )

    async def ReportSlash(
        self, request: pb.ReportSlashRequest, context: Context
    ) -> pb.ReportSlashResponse:
        """Takes what convicts a member."""
        registry = self._registry
        if bool(request.record) == bool(request.secret):
            raise SlashMalformedError("give a record, or a secret")
        if request.record:
            identity = identity_of_record(request.record)
        else:
            identity = identity_of_secret(request.secret)
        await registry.report(identity)
        return pb.ReportSlashResponse()

    async def ListRoots(
        self, request: pb.ListRootsRequest, context: Context
    ) -> pb.ListRootsResponse:
        """Lists the newest roots."""
        return pb.ListRootsResponse(
            roots=[
                pb.ListRootsResponse.Root(root=each.root, block_number=each.height)
                for each in self._registry.roots()
            ]
        )


def _responses(seen: MembersSeen) -> list[pb.WatchMembersResponse]:
    members = seen.members
    parts = [members[at : at + MAX_TOLD] for at in range(0, len(members), MAX_TOLD)] or [members]
    responses = [pb.WatchMembersResponse(members=_members(each)) for each in parts]
    last = responses[-1]
    last.complete, last.root, last.block_number = True, seen.root, seen.height
    return responses


def _members(members: Sequence[Member]) -> list[pb.RegisteredMember]:
    return [
        pb.RegisteredMember(
            leaf_index=each.leaf,
            commitment=each.commitment,
            slashed=each.removal is not None,
        )
        for each in members
    ]
