"""Serves `logos.chain.v1.ChainAdmin`. The contract lists the errors; here they are only raised."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from logos.chain.v1 import admin_pb2 as pb
from logos.chain.v1 import chain_pb2
from logos.chain.v1.admin_pb2_grpc import ChainAdminServicer as Contract
from logos_chain.operations.exporting import ExportOperations
from logos_chain.operations.leading_switch import LeadingSwitch
from logos_chain.operations.starting import StartOperations
from logos_module.contexts import Context


class ChainAdminServicer(Contract):
    """One per process; holds no state of its own."""

    def __init__(
        self, start: StartOperations, switch: LeadingSwitch, exports: ExportOperations
    ) -> None:
        self._start = start
        self._switch = switch
        self._exports = exports

    async def SetLeading(
        self, request: pb.SetLeadingRequest, context: Context
    ) -> pb.SetLeadingResponse:
        """Switches leading on or off."""
        await self._switch.turn(is_on=request.is_on)
        return pb.SetLeadingResponse()

    async def ForceBootstrap(
        self, request: pb.ForceBootstrapRequest, context: Context
    ) -> pb.ForceBootstrapResponse:
        """Puts the bootstrap rule in force."""
        await self._start.force_bootstrap()
        return pb.ForceBootstrapResponse()

    async def StartOver(
        self, request: pb.StartOverRequest, context: Context
    ) -> pb.StartOverResponse:
        """Has the chain given up and downloaded again."""
        await self._start.start_over()
        return pb.StartOverResponse()

    async def ExportCheckpoint(
        self, request: pb.ExportCheckpointRequest, context: Context
    ) -> AsyncIterator[pb.ExportCheckpointResponse]:
        """Streams a checkpoint: what it is first, then its bytes."""
        async with self._exports.export() as made, aclosing(made.chunks()) as chunks:
            found = made.summary
            point = chain_pb2.BlockPoint(id=found.block, height=found.height, slot=found.slot)
            summary = pb.CheckpointSummary(
                genesis_id=found.genesis,
                spec_hash=found.specification,
                block=point,
                hash=made.hash,
                size_bytes=made.size_bytes,
            )
            yield pb.ExportCheckpointResponse(summary=summary)
            async for chunk in chunks:
                yield pb.ExportCheckpointResponse(chunk=chunk)
