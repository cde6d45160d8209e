"""The service of a module for its kernel: describes, changes, measures and drains the module."""

from typing import Any, Final

from prometheus_client import generate_latest

from logos.module.v1 import module_host_pb2 as pb
from logos.module.v1 import module_host_pb2_grpc as pb_grpc
from logos_base.capabilities import KERNEL
from logos_base.manifest import Manifest
from logos_module.capabilities.errors import MethodDeniedError
from logos_module.errors import MethodUnimplementedError
from logos_module.interceptor import Gate
from logos_module.reflection import describe
from logos_module.settings import Settings

MAX_GRACE_S: Final = 300.0
MAX_METRICS_BYTES: Final = 1024 * 1024
MAX_DETAIL_BYTES: Final = 500


class ModuleHostServicer(pb_grpc.ModuleHostServicer):
    """`logos.module.v1.ModuleHost` of one process. Without `settings` these do not change."""

    def __init__(
        self,
        manifest: Manifest,
        instance_id: bytes,
        gate: Gate,
        settings: Settings | None = None,
    ) -> None:
        self._manifest = manifest
        self._instance_id = instance_id
        self._gate = gate
        self.settings = settings

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

    async def UpdateSettings(
        self, request: pb.UpdateSettingsRequest, context: Any
    ) -> pb.UpdateSettingsResponse:
        if self.settings is None:
            raise MethodUnimplementedError("this module does not change its settings")
        if context.caller is not None and context.caller.name != KERNEL:
            raise MethodDeniedError("only the kernel of the node changes settings")
        outcome, detail = self.settings.offer(request.version, request.document_json)
        return pb.UpdateSettingsResponse(
            outcome=pb.UpdateSettingsResponse.Outcome.Value(f"OUTCOME_{outcome}"),
            detail=detail.encode()[:MAX_DETAIL_BYTES].decode(errors="ignore"),
        )

    async def GetMetrics(
        self, request: pb.GetMetricsRequest, context: Any
    ) -> pb.GetMetricsResponse:
        text = generate_latest()
        if len(text) > MAX_METRICS_BYTES:
            text = text[: text.rfind(b"\n", 0, MAX_METRICS_BYTES) + 1]
        return pb.GetMetricsResponse(text=text)
