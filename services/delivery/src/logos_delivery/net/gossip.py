"""`Gossip` through the network module of this node."""

import grpc

from logos_base.errors import MessageOversizeError, NetworkUnavailableError
from logos_delivery.net.calls import MODULE
from logos_module.network import gossip


class NetworkGossip(gossip.NetworkGossip):
    """`Gossip` over `logos.network.v1.Gossip`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        super().__init__(channel, MODULE)

    async def publish(self, topic: str, data: bytes) -> None:
        """Publishes what the network's own limit has let through."""
        try:
            await super().publish(topic, data)
        except MessageOversizeError as error:
            raise NetworkUnavailableError(
                f"the network module did not take Gossip/Publish: {error}"
            ) from error
