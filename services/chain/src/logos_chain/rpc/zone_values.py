"""Between the messages of the zones' contract and the values of `logos_zone_sdk`."""

from logos.chain.v1 import chain_pb2
from logos.chain.v1 import zone_pb2 as pb
from logos_mantle.channels import ChannelInscribe
from logos_zone_sdk.core.messages import ChannelMessage, Point


def from_point(point: Point) -> chain_pb2.BlockPoint:
    return chain_pb2.BlockPoint(id=point.id, height=point.height, slot=point.slot)


def from_message(message: ChannelMessage) -> pb.ZoneMessage:
    told = pb.ZoneMessage(id=message.id, block=from_point(message.block))
    operation = message.operation
    if isinstance(operation, ChannelInscribe):
        told.inscription.payload = operation.inscription
        told.inscription.parent = operation.parent
        told.inscription.signer = operation.signer
    else:
        told.configuration.keys.extend(operation.keys)
        told.configuration.posting_timeframe_slots = operation.posting_timeframe_slots
        told.configuration.posting_timeout_slots = operation.posting_timeout_slots
        told.configuration.configuration_threshold = operation.configuration_threshold
        told.configuration.transfer_threshold = operation.transfer_threshold
    return told
