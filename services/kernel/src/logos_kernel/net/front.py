"""Health and reflection of the front door, as modules come and go (KER-13)."""

import logging
from collections.abc import Sequence
from typing import Final

from google.protobuf import descriptor_pb2

from logos_kernel.core.types import Described, ModuleState
from logos_kernel.core.views import View
from logos_module.reflection import describe
from logos_module.server import Server

log = logging.getLogger(__name__)

FRONT_SERVICES: Final = (
    "logos.kernel.v1.Capability",
    "logos.kernel.v1.Events",
    "logos.kernel.v1.Installer",
    "logos.kernel.v1.Kernel",
    "logos.kernel.v1.Router",
    "logos.kernel.v1.Settings",
    "logos.kernel.v1.Supervisor",
)
INNER_SERVICES: Final = (
    "logos.kernel.v1.Capability",
    "logos.kernel.v1.Events",
    "logos.kernel.v1.Kernel",
    "logos.kernel.v1.Registry",
    "logos.kernel.v1.Router",
)


class Front:
    """Keeps the health and reflection of the front door in step with the modules.

    Of the inner listener, only whether the node is ready changes.
    """

    def __init__(self, front: Server, inner: Server) -> None:
        self._server = front
        self._inner = inner
        self._known: set[str] = set()
        """Services of modules that have a health, also if no module serves them any more."""
        self._reflected: tuple[bytes, ...] | None = None

    async def open(self) -> None:
        """Lets the kernel's own services be found. The node is not ready yet."""
        await self._server.set_serving(FRONT_SERVICES, serving=True)
        await self._inner.set_serving(INNER_SERVICES, serving=True)
        self._inner.reflection.replace(INNER_SERVICES, [describe(INNER_SERVICES)])
        await self.update([], is_ready=False)

    async def update(self, views: Sequence[View], *, is_ready: bool) -> None:
        """Shows the modules as they are now."""
        await self._inner.set_serving([""], serving=is_ready)
        ready = [view for view in views if view.state is ModuleState.READY]
        self._known.update(service for view in views for service in view.services)
        serving = {service for view in ready for service in view.services}
        for service in self._known:
            await self._server.set_serving([service], serving=service in serving)
        await self._server.set_serving([""], serving=is_ready)
        self._reflect([(view, view.described) for view in ready if view.described is not None])

    def _reflect(self, ready: Sequence[tuple[View, Described]]) -> None:
        key = tuple(described.instance_id for _, described in ready)
        if key == self._reflected:
            return
        self._reflected = key
        services, described = list(FRONT_SERVICES), [describe(FRONT_SERVICES)]
        self._server.reflection.replace(services, described)
        for view, text in ready:
            files = descriptor_pb2.FileDescriptorSet.FromString(text.file_descriptor_set)
            try:
                self._server.reflection.replace([*services, *view.services], [*described, files])
            except (TypeError, ValueError):
                log.warning("descriptors do not fit the others", extra={"of": view.name})
                continue
            services += view.services
            described.append(files)
