"""Serves `logos.chain.v1.ChainAdmin`. The contract lists the errors; here they are only raised."""

from logos.chain.v1 import admin_pb2 as pb
from logos.chain.v1.admin_pb2_grpc import ChainAdminServicer as Contract
from logos_chain.operations.leading_switch import LeadingSwitch
from logos_chain.operations.starting import StartOperations
from logos_module.contexts import Context


class ChainAdminServicer(Contract):
    """One per process; holds no state of its own."""

    def __init__(self, start: StartOperations, switch: LeadingSwitch) -> None:
        self._start = start
        self._switch = switch

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
