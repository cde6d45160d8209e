"""What is asked of a node, and what its answers mean.

Spec: docs/protocol/zone-sdk.md, ZON-1, ZON-9, ZON-18.
"""

from typing import Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from logos.chain.v1 import chain_pb2 as pb
from logos.chain.v1.chain_pb2_grpc import ChainNodeStub
from logos_mantle.errors import MalformedError
from logos_mantle.opcodes import Opcode
from logos_mantle.operations import Operation, decode_payload
from logos_zone_sdk.core.errors import ChainBrokenError, NodeBehindError
from logos_zone_sdk.core.messages import ChannelMessage, Point, messages_of
from logos_zone_sdk.core.turns import ChannelView, SlotClock

CALL_TIMEOUT_S: Final = 20.0
PAGE: Final = 100
_KINDS: Final = frozenset({Opcode.CHANNEL_INSCRIBE.name, Opcode.CHANNEL_CONFIG.name})


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Returns the stable reason of a failed call, or the name of its status if it has none."""
    info = error_details_pb2.ErrorInfo()
    try:
        status = rpc_status.from_call(error)
        if status and any(each.Unpack(info) for each in status.details):
            return str(info.reason)
    except (ValueError, DecodeError):
        pass  # no Logos node
    return str(error.code().name)


def to_point(point: pb.BlockPoint) -> Point:
    """Reads where a block is."""
    return Point(point.id, point.height, point.slot)


def to_clock(info: pb.GetInfoResponse) -> SlotClock:
    """Reads which slot it is when; raises `ChainBrokenError`."""
    if not info.slot_ms:
        raise ChainBrokenError("the node does not say how long a slot is")
    return SlotClock(info.genesis_time.ToMilliseconds(), info.slot_ms)


class NodeClient:
    """One node's chain, as far as one channel goes."""

    def __init__(self, channel_id: bytes, node: grpc.aio.Channel) -> None:
        self.stub = ChainNodeStub(node)
        self._channel_id = channel_id

    async def info(self) -> pb.GetInfoResponse:
        """Returns where the chain stands; raises `AioRpcError`."""
        return await self.stub.GetInfo(pb.GetInfoRequest(), timeout=CALL_TIMEOUT_S)

    async def standing(self) -> pb.GetInfoResponse:
        """Returns where the chain stands, if the node follows it.

        Raises:
            AioRpcError
            NodeBehindError: It is not at the tip, nor knows all final blocks.
        """
        found = await self.info()
        if found.phase == pb.PHASE_DOWNLOADING:
            raise NodeBehindError("the node still downloads the chain")
        return found

    async def view(self) -> ChannelView | None:
        """Returns the channel at the tip, or None if it does not exist; raises `AioRpcError`."""
        request = pb.GetChannelRequest(id=self._channel_id)
        try:
            found = await self.stub.GetChannel(request, timeout=CALL_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        if not found.keys or found.sequencer >= len(found.keys):
            raise ChainBrokenError("the node shows a channel without the key whose turn it is")
        return ChannelView(
            tuple(found.keys),
            found.tip,
            found.tip_slot,
            found.sequencer,
            found.sequencer_since_slot,
            found.posting_timeframe_slots,
            found.posting_timeout_slots,
            found.block,
        )

    async def point_at(self, height: int) -> Point:
        """Returns the block of a height on the local chain; raises `AioRpcError`."""
        request = pb.GetBlockRequest(height=height)
        found = await self.stub.GetBlock(request, timeout=CALL_TIMEOUT_S)
        return to_point(found.summary.point)

    async def messages(self, block: Point) -> tuple[ChannelMessage, ...]:
        """Returns the channel's messages in a block.

        Raises:
            AioRpcError
            ChainBrokenError: The node gives an operation that does not decode.
        """
        found, token = list[Operation](), ""
        while True:
            request = pb.ListBlockTransactionsRequest(id=block.id, page_size=PAGE, page_token=token)
            page = await self.stub.ListBlockTransactions(request, timeout=CALL_TIMEOUT_S)
            for transaction in page.transactions:
                found += [
                    _decoded(each.raw)
                    for each in transaction.operations
                    if each.kind in _KINDS and each.channel == self._channel_id
                ]
            token = page.next_page_token
            if not token:
                return messages_of(self._channel_id, block, tuple(found))


def _decoded(raw: bytes) -> Operation:
    try:
        return decode_payload(raw[0], raw[1:])
    except (IndexError, MalformedError) as error:
        raise ChainBrokenError("the node gives an operation that does not decode") from error
