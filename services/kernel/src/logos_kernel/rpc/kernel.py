"""`logos.kernel.v1.Kernel`: the node as a whole."""

from logos.kernel.v1 import kernel_pb2 as pb
from logos.kernel.v1 import kernel_pb2_grpc
from logos_kernel.operations.kernel import Kernel
from logos_kernel.rpc.convert import module_to_pb, timestamp
from logos_module.contexts import Context


class KernelServicer(kernel_pb2_grpc.KernelServicer):
    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def GetInfo(self, request: pb.GetInfoRequest, context: Context) -> pb.GetInfoResponse:
        identity = self._kernel.identity
        return pb.GetInfoResponse(
            node=identity.node,
            testnet=identity.testnet,
            version=identity.version,
            epoch=identity.epoch,
            started_at=timestamp(identity.started_at_ms),
        )

    async def GetStatus(
        self, request: pb.GetStatusRequest, context: Context
    ) -> pb.GetStatusResponse:
        modules = [module_to_pb(view) for view in self._kernel.views.all()]
        return pb.GetStatusResponse(modules=modules, ready=self._kernel.views.modules.is_ready())
