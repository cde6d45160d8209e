"""`/health`, `/info`, `/version`, and the older `/debug/v1/…` (DHT-16)."""

from collections.abc import Iterator
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_base.errors import LogosError
from logos_delivery.core.enr import fields as enr_fields
from logos_delivery.core.enr import record
from logos_delivery.core.health import ProtocolHealth
from logos_delivery.http.answers import Refused, as_json, text
from logos_delivery.operations.health import HealthOperations
from logos_delivery.operations.information import Information, NodeInformation

INTERFACE: Final = "v0.38.1"
"""The release of the reference whose interface this is."""
HEALTH: Final = "/health"
READY: Final = "READY"
INITIALIZING: Final = "INITIALIZING"
"""Until the neighbours were looked at for the first time."""


class NodeRoutes:
    """What this node is, and how it is."""

    def __init__(self, health: HealthOperations, information: Information) -> None:
        self._health = health
        self._information = information

    def add_to(self, router: APIRouter) -> None:
        """Adds the routes."""
        router.add_api_route(HEALTH, self.health, methods=["GET"])
        for path in ("/info", "/debug/v1/info"):
            router.add_api_route(path, self.info, methods=["GET"])
        for path in ("/version", "/debug/v1/version"):
            router.add_api_route(path, self.version, methods=["GET"])

    async def health(self, _: Request) -> Response:
        """Returns how the node and each protocol stand."""
        health = self._health.now()
        return as_json(
            {
                "nodeHealth": READY if health.is_known else INITIALIZING,
                "connectionStatus": health.status.value,
                "protocolsHealth": [_protocol(one) for one in health.protocols],
            }
        )

    async def info(self, _: Request) -> Response:
        """Returns the addresses and the record of this node."""
        try:
            node = await self._information.node()
        except LogosError as error:
            raise Refused(str(error), 503) from error
        found: dict[str, Any] = {"listenAddresses": list(dict.fromkeys(_addresses(node)))}
        if node.enr:
            found["enrUri"] = node.enr
        return as_json(found)

    async def version(self, _: Request) -> Response:
        """Returns the release of the reference, and that of this module."""
        return text(f"{INTERFACE}-logos-{self._information.version}")


def _addresses(node: NodeInformation) -> Iterator[str]:
    """Those of its record come first: by them others reach it."""
    if node.enr:
        own = record.parse(node.enr)
        for address in enr_fields.addresses(enr_fields.read(own)):
            yield f"{address}/p2p/{own.peer_id}"
    yield from node.addresses


def _protocol(one: ProtocolHealth) -> dict[str, Any]:
    found: dict[str, Any] = {one.protocol.value: one.status.value}
    if one.text:
        found["desc"] = one.text
    return found
