"""`/store/v3/messages` (DHT-13, DHT-14)."""

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from logos_base.errors import LogosError
from logos_delivery.core.archive.answers import Status
from logos_delivery.core.archive.errors import (
    StoreCursorUnknownError,
    StoreParametersInvalidError,
    StorePeerBusyError,
    StoreQueryInvalidError,
)
from logos_delivery.core.archive.parameters import query_of
from logos_delivery.core.archive.types import Entry, Page
from logos_delivery.core.errors import ConnectFailedError, PeerFailedError, StoreNodeMissingError
from logos_delivery.http.addresses import AddressInvalidError, node_address
from logos_delivery.http.answers import Refused, as_json
from logos_delivery.http.messages import hash_text, kept
from logos_delivery.operations.history import HistoryOperations
from logos_delivery.operations.neighbours import NeighbourOperations

MESSAGES: Final = "/store/v3/messages"
NO_PEER: Final = "No suitable service peer & no discovery method"


class StoreRoutes:
    """The history: of this node, or of another."""

    def __init__(self, history: HistoryOperations, neighbours: NeighbourOperations) -> None:
        self._history = history
        self._neighbours = neighbours

    def add_to(self, router: APIRouter) -> None:
        """Adds the route."""
        router.add_api_route(MESSAGES, self.messages, methods=["GET"])

    async def messages(self, request: Request) -> Response:
        """Returns a page of messages."""
        parameters = dict(request.query_params)
        try:
            query = query_of(parameters)
        except StoreParametersInvalidError as error:
            raise Refused(str(error)) from error
        try:
            peer = await self._peer(parameters.get("peerAddr", ""))
            page = await self._history.query(query, peer)
        except LogosError as error:
            raise _failed(error) from error
        return as_json(_answer(page, with_data=query.include_data))

    async def _peer(self, address: str) -> str:
        """Returns the peer id of an address, after dialling it if need be."""
        if not address:
            return ""
        try:
            found = node_address(address)
        except AddressInvalidError as error:
            raise Refused(f"Failed parsing remote peer info: {error}") from error
        known = await self._neighbours.known()
        if not any(one.peer.peer_id == found.peer_id and one.peer.is_connected for one in known):
            await self._neighbours.connect(found.address)
        return found.peer_id


def _failed(error: LogosError) -> Refused:
    match error:
        case StoreNodeMissingError():
            return Refused(NO_PEER, 412)
        case StorePeerBusyError():
            return Refused("Request rate limit reached", 429)
        case StoreQueryInvalidError():
            return Refused(f"BAD_REQUEST: {error}")
        case StoreCursorUnknownError():
            return Refused(f"BAD_RESPONSE: archive error: {error}", 500)
        case ConnectFailedError():
            return Refused(f"PEER_DIAL_FAILURE: {error}", 500)
        case _:
            # The reference's word for a node that does not speak the protocol.
            kind = "PEER_DIAL_FAILURE: " if isinstance(error.__cause__, PeerFailedError) else ""
            return Refused(f"Error occurred in queryFut.read() [{kind}{error}]", 500)


def _answer(page: Page, *, with_data: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "requestId": "",
        "statusCode": int(Status.SUCCESS),
        "statusDesc": "OK",
        "messages": [_entry(one, with_data=with_data) for one in page.entries],
    }
    if page.cursor is not None:
        found["paginationCursor"] = hash_text(page.cursor)
    return found


def _entry(entry: Entry, *, with_data: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"messageHash": hash_text(entry.hash)}
    if with_data and entry.message is not None:
        found["message"] = kept(entry.message)
        found["pubsubTopic"] = entry.pubsub_topic
    return found
