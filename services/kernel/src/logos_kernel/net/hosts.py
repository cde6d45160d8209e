"""The kernel's calls of its modules: settings for them, metrics from them (KER-41, KER-43)."""

import logging
from collections.abc import Callable
from typing import Any, Final

import grpc

from logos.module.v1 import module_host_pb2 as pb
from logos.module.v1 import module_host_pb2_grpc
from logos_kernel.core.settings import Outcome

log = logging.getLogger(__name__)

OFFER_TIMEOUT_S: Final = 10.0
METRICS_TIMEOUT_S: Final = 2.0
MAX_METRICS_BYTES: Final = 1024 * 1024

_OUTCOMES: Final = {
    pb.UpdateSettingsResponse.OUTCOME_APPLIED: Outcome.APPLIED,
    pb.UpdateSettingsResponse.OUTCOME_REJECTED: Outcome.REJECTED,
}


class Hosts:
    """`logos.module.v1.ModuleHost` of the modules. `open_authorized`: name, endpoint."""

    def __init__(self, open_authorized: Callable[[str, str], grpc.aio.Channel]) -> None:
        self._open = open_authorized

    async def offer(
        self, module: str, endpoint: str, number: int, document: str
    ) -> tuple[Outcome, str]:
        """Offers settings; returns what the module does with them, and what it says to that.

        One that does not answer, or cannot change settings, has to be restarted: what it
        goes by would not be known otherwise.
        """
        request = pb.UpdateSettingsRequest(version=number, document_json=document)
        async with self._open(module, endpoint) as channel:
            host: Any = module_host_pb2_grpc.ModuleHostStub(channel)
            try:
                response = await host.UpdateSettings(request, timeout=OFFER_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                log.warning("settings not taken", extra={"of": module, "code": error.code().name})
                return Outcome.REQUIRES_RESTART, f"it answered {error.code().name}"
        return _OUTCOMES.get(response.outcome, Outcome.REQUIRES_RESTART), response.detail

    async def metrics(self, module: str, endpoint: str) -> str:
        """Returns the metrics of a module as text; empty if it gives none."""
        async with self._open(module, endpoint) as channel:
            host: Any = module_host_pb2_grpc.ModuleHostStub(channel)
            try:
                response = await host.GetMetrics(pb.GetMetricsRequest(), timeout=METRICS_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                log.debug("no metrics", extra={"of": module, "code": error.code().name})
                return ""
        text: bytes = response.text[:MAX_METRICS_BYTES]
        return text[: text.rfind(b"\n") + 1].decode(errors="replace")
