"""What a node serves: gRPC to its clients, and HTTP where that is set."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from logos.delivery.v1.channels_pb2_grpc import add_ChannelsServicer_to_server
from logos.delivery.v1.delivery_pb2_grpc import add_DeliveryServicer_to_server
from logos.delivery.v1.light_pb2_grpc import (
    add_FilterServicer_to_server,
    add_LightPushServicer_to_server,
    add_PeerExchangeServicer_to_server,
)
from logos.delivery.v1.relay_pb2_grpc import add_RelayServicer_to_server
from logos.delivery.v1.store_pb2_grpc import add_StoreServicer_to_server
from logos_client.token_file import make_token_file
from logos_delivery.config import Config
from logos_delivery.http.operations import Operations
from logos_delivery.rpc.channels import ChannelsServicer
from logos_delivery.rpc.delivery import DeliveryServicer
from logos_delivery.rpc.light import FilterServicer, LightPushServicer, PeerExchangeServicer
from logos_delivery.rpc.relay import RelayServicer
from logos_delivery.rpc.store import StoreServicer
from logos_module.server import AddToServer

log = logging.getLogger(__name__)

HTTP_TOKEN: Final = "http.token"  # noqa: S105 -- the name of a file

Serve = Callable[[AddToServer, Any], None]


@dataclass(frozen=True, slots=True)
class Servicers:
    """What a node serves."""

    delivery: DeliveryServicer
    relay: RelayServicer
    store: StoreServicer
    filter: FilterServicer
    light_push: LightPushServicer
    peer_exchange: PeerExchangeServicer
    channels: ChannelsServicer
    http: Operations | None = None
    """None where HTTP is not served."""

    def serve(self, serve: Serve) -> None:
        """Serves all, by the module's context or a server."""
        serve(add_DeliveryServicer_to_server, self.delivery)
        serve(add_RelayServicer_to_server, self.relay)
        serve(add_StoreServicer_to_server, self.store)
        serve(add_FilterServicer_to_server, self.filter)
        serve(add_LightPushServicer_to_server, self.light_push)
        serve(add_PeerExchangeServicer_to_server, self.peer_exchange)
        serve(add_ChannelsServicer_to_server, self.channels)


@asynccontextmanager
async def http_served(
    http: Operations | None, config: Config, state_dir: Path
) -> AsyncIterator[int | None]:
    """Serves the HTTP interface, if there is to be one; yields its port (DHT-2).

    Its figures may be served without it (DHT-20): there is no port then.
    """
    if http is None:
        yield None
        return
    # What this loads is not wanted where HTTP is not served (docs/adr/0033).
    from logos_delivery.http.application import build, build_figures  # noqa: PLC0415
    from logos_module.http.access import BearerAccess, LocalAccess  # noqa: PLC0415
    from logos_module.http.serving import serving  # noqa: PLC0415

    is_open = config.http_open
    access = LocalAccess() if is_open else BearerAccess(make_token_file(state_dir / HTTP_TOKEN))
    app = build(http, access)
    async with AsyncExitStack() as stack:
        if config.http_metrics is not None:
            await stack.enter_async_context(serving(build_figures(app), *config.http_metrics))
        if config.http is None:
            yield None
            return
        port = await stack.enter_async_context(serving(app, *config.http))
        log.info("HTTP is served", extra={"host": config.http.host, "port": port})
        yield port
