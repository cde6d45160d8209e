"""Channels to the front doors of the nodes, each opened when it is first wanted."""

from typing import Final

import grpc

from logos_app.config import Config
from logos_client.authorized import AuthorizedChannel, Bearer
from logos_client.channels import open_channel
from logos_client.token_file import TokenFileError, read_token

CALL_S: Final = 3.0
"""Time limit of a call that a page waits for; what takes longer has a stream of its own."""


class Doors:
    """The channels. They carry the operator's token, which leaves this process nowhere else."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._addresses = {front.name: front.address for front in config.fronts}
        self._open: dict[str, grpc.aio.Channel] = {}

    def __contains__(self, node: str) -> bool:
        return node in self._addresses

    def to(self, node: str) -> grpc.aio.Channel:
        """The channel to a node.

        Raises:
            KeyError: There is no such node.
            TokenFileError: There is no token that could be used.
        """
        if node not in self._open:
            self._open[node] = self._opened(self._addresses[node])
        return self._open[node]

    async def reopen(self, node: str) -> None:
        """Closes a channel, so that the next one bears the token that the file holds then."""
        channel = self._open.pop(node, None)
        if channel is not None:
            await channel.close()

    async def close(self) -> None:
        """Closes all channels."""
        for node in list(self._open):
            await self.reopen(node)

    def _opened(self, address: str) -> grpc.aio.Channel:
        bearer = read_token(self._config.operator_token)
        if bearer is None:
            raise TokenFileError(f"{self._config.operator_token} does not exist")
        if self._config.is_enclosed:  # the network to the front doors is the containers' own
            return AuthorizedChannel(open_channel(address), Bearer(bearer))
        return open_channel(address, bearer)
