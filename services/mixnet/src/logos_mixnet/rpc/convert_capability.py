"""Values of capability discovery to messages of `logos.network.v1`."""

from typing import Final

from logos.network.v1 import discovery_pb2 as pb
from logos_crypto import base58
from logos_mixnet.core.capability.advertiser import Registered, Stage
from logos_mixnet.core.capability.offers import Offer
from logos_mixnet.core.capability.places import texts_of
from logos_mixnet.core.capability.records import SignedRecord
from logos_mixnet.core.capability.registrar import Standing

_STAGES: Final = {
    None: pb.GetRoutingTableResponse.STAGE_UNSPECIFIED,
    Stage.ASKED: pb.GetRoutingTableResponse.STAGE_ASKED,
    Stage.WAITING: pb.GetRoutingTableResponse.STAGE_WAITING,
    Stage.CONFIRMED: pb.GetRoutingTableResponse.STAGE_CONFIRMED,
}


def record_to_pb(service: str, peer_id: str, signed: SignedRecord) -> pb.ServiceRecord:
    """Packs a record as an advertisement of one of its services."""
    record = signed.record
    [data, *_] = [each.data for each in record.services if each.id == service]
    return pb.ServiceRecord(
        peer_id=peer_id,
        addresses=texts_of(record.addresses),
        data=data,
        seq=record.seq,
        signed_record=signed.encoded,
    )


def listed_to_pb(offer: Offer, registrars: int) -> pb.ListServicesResponse.Service:
    """Packs a service of this node."""
    packed = pb.ListServicesResponse.Service(
        service=offer.service, data=offer.data, registrars=registrars
    )
    if offer.until_ms is not None:
        packed.until.FromMilliseconds(offer.until_ms)
    return packed


def standing_to_pb(standing: Standing) -> pb.GetRegistrarResponse.Service:
    """Packs how a service stands with the registrar."""
    packed = pb.GetRegistrarResponse.Service(
        service=standing.name, advertisements=standing.advertisements
    )
    packed.waiting.FromSeconds(standing.waits_s)
    return packed


def registered_to_pb(registered: Registered) -> pb.GetRoutingTableResponse.Registrar:
    """Packs a registrar, and how far an advertisement is with it."""
    return pb.GetRoutingTableResponse.Registrar(
        peer_id=base58.encode(registered.peer.peer_id),
        addresses=texts_of(registered.peer.addresses),
        bucket=registered.bucket,
        stage=_STAGES[registered.stage],
    )
