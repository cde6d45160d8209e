"""The service of a module for its kernel: describes the module, and drains it."""

from typing import Any, Final

from logos.module.v1 import module_host_pb2 as pb
from logos.module.v1 import module_host_pb2_grpc as pb_grpc
from logos_base.manifest import Manifest
from logos_module.interceptor import Gate
from logos_module.reflection import describe

MAX_GRACE_S: Final = 300.0


class ModuleHostServicer(pb_grpc.ModuleHostServicer):
    """`logos.module.v1.ModuleHost` of one process."""

    def __init__(self, manifest: Manifest, instance_id: bytes, gate: Gate) -> None:
        self._manifest = manifest
        self._instance_id = instance_id
        self._gate = gate

    async def Describe(self, request: pb.DescribeRequest, context: Any) -> pb.DescribeResponse:
        described = describe(self._manifest.services)
        return pb.DescribeResponse(
            module=self._manifest.name,
            version=self._manifest.version,
            instance_id=self._instance_id,
            services=self._manifest.services,
            file_descriptor_set=described.SerializeToString(),
        )

    async def PrepareStop(
        self, request: pb.PrepareStopRequest, context: Any
    ) -> pb.PrepareStopResponse:
        self._gate.drain()
        grace_s = min(request.grace.ToNanoseconds() / 1e9, MAX_GRACE_S)
        return pb.PrepareStopResponse(in_flight=await self._gate.wait_idle(grace_s))
