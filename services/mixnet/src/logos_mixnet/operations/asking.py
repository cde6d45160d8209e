"""Requests to registrars: one stream each, and an outcome within five seconds (DIS-25)."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from logos_base.errors import LogosError
from logos_crypto import base58
from logos_mixnet.core.capability.errors import MessageMalformedError
from logos_mixnet.core.capability.places import texts_of
from logos_mixnet.core.capability.wire import PROTOCOL, Peer
from logos_mixnet.core.errors import PeerUnreachableError
from logos_mixnet.core.identity import parse_peer_id
from logos_mixnet.core.ports import StreamHost
from logos_mixnet.operations.messages import Messages

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 5.0


class Asking:
    """Sends requests to registrars, dialling them first."""

    def __init__(
        self,
        streams: StreamHost,
        add_address: Callable[[str, str], None],
        unreachable: Callable[[Peer], None],
    ) -> None:
        self._streams = streams
        self._add_address = add_address
        self._unreachable = unreachable
        self.asked = 0
        self.unanswered = 0

    async def ask(self, peer: Peer, message: bytes) -> bytes | None:
        """Returns the response of a peer; None if there is none."""
        self.asked += 1
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._exchange(peer, message)
        except PeerUnreachableError:
            self._unreachable(peer)
        except (LogosError, TimeoutError) as error:
            log.debug("registrar does not answer", extra={"error": repr(error)})
        self.unanswered += 1
        return None

    async def _exchange(self, peer: Peer, message: bytes) -> bytes:
        peer_id = parse_peer_id(base58.encode(peer.peer_id))
        for address in texts_of(peer.addresses):
            self._add_address(peer_id, address)
        stream = await self._streams.open(peer_id, PROTOCOL)
        try:
            messages = Messages(stream)
            await messages.write(message)
            stream.close_write()
            response = await messages.read()
        finally:
            stream.reset()
        if response is None:
            raise MessageMalformedError("a stream without a response")
        return response
