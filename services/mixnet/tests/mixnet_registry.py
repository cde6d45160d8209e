"""A registry that keeps members in memory, behind the contract that a chain will serve (RLN-30)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from mixnet_rln import has_signed

from logos.network.v1 import registry_pb2 as pb
from logos.network.v1 import registry_pb2_grpc
from logos_client.channels import open_channel
from logos_mixnet.core.rln.errors import EvidenceError, LimitMismatchError, MemberSlashedError
from logos_mixnet.core.rln.slashing import SlashRecord
from logos_module.server import Server
from open_access import OpenAccess


class TestRegistry(registry_pb2_grpc.RegistryServicer):
    """One network's members. It checks all that it is told."""

    __test__ = False

    def __init__(self, limit: int) -> None:
        self.members: dict[bytes, pb.RegisteredMember] = {}
        self._limit = limit
        self._changed = asyncio.Condition()

    async def WatchMembers(self, request: Any, context: Any) -> Any:  # noqa: N802
        sent: list[pb.RegisteredMember] = []
        while True:
            now = [pb.RegisteredMember.FromString(m.SerializeToString()) for m in self._all()]
            new = [each for at, each in enumerate(now) if sent[at : at + 1] != [each]]
            if new or not sent:
                yield pb.WatchMembersResponse(members=new, complete=True)
            sent = now
            async with self._changed:
                await self._changed.wait()

    async def RegisterMember(self, request: Any, context: Any) -> pb.RegisterMemberResponse:  # noqa: N802
        if request.limit != self._limit:
            raise LimitMismatchError(f"the limit is {self._limit}")
        member = self.members.get(request.commitment)
        if member is None:
            member = pb.RegisteredMember(
                leaf_index=len(self.members), commitment=request.commitment
            )
            self.members[request.commitment] = member
            await self._tell()
        if member.slashed:
            raise MemberSlashedError("it was slashed")
        return pb.RegisterMemberResponse(leaf_index=member.leaf_index, block_number=1)

    async def ReportSlash(self, request: Any, context: Any) -> pb.ReportSlashResponse:  # noqa: N802
        record = SlashRecord.decode(request.record, has_signed)
        member = self.members.get(record.evidence.identity().commitment)
        if member is None:
            raise EvidenceError("it is against no member")
        member.slashed = True
        await self._tell()
        return pb.ReportSlashResponse()

    def _all(self) -> list[pb.RegisteredMember]:
        return sorted(self.members.values(), key=lambda each: each.leaf_index)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def serving(registry: TestRegistry, path: Path) -> AsyncIterator[grpc.aio.Channel]:
    server = Server(OpenAccess())
    server.serve(registry_pb2_grpc.add_RegistryServicer_to_server, registry)
    await server.start([f"unix:{path}"])
    channel = open_channel(f"unix:{path}")
    try:
        yield channel
    finally:
        await channel.close()
        await server.stop(0)
