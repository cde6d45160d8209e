"""Core values to messages of `logos.network.v1`, and back."""

from typing import Final

from logos.network.v1 import gossip_pb2, peering_pb2
from logos_base.errors import LogosError
from logos_mixnet.core.address_book import PeerEntry
from logos_mixnet.core.confidence import AddressScore
from logos_mixnet.core.errors import BatchSizeError, InvalidVerdictError
from logos_mixnet.core.exchange import Found
from logos_mixnet.core.gossip import FollowedTopic, Verdict
from logos_mixnet.core.mailbox import Batch
from logos_mixnet.core.notices import Notice
from logos_mixnet.core.peering import Peering
from logos_mixnet.core.standing import Value
from logos_mixnet.core.traffic import Traffic

MAX_BATCH_MESSAGES: Final = 1000
MAX_BATCH_BYTES: Final = 4 * 1024 * 1024

FOREVER: Final = "9999-12-31T23:59:59Z"
"""`banned_until` of a ban without an end: the last second that a Timestamp can say."""

_VERDICTS: Final[dict[int, Verdict]] = {
    gossip_pb2.VERDICT_ACCEPT: "accept",
    gossip_pb2.VERDICT_REJECT: "reject",
    gossip_pb2.VERDICT_IGNORE: "ignore",
}


def topic_to_pb(topic: FollowedTopic) -> gossip_pb2.Topic:
    """Converts a topic."""
    peers = [
        gossip_pb2.TopicPeer(peer_id=peer.peer_id, in_mesh=peer.is_in_mesh, score=peer.score)
        for peer in topic.peers
    ]
    return gossip_pb2.Topic(topic=topic.topic, peers=peers)


def verdict_of(value: int) -> Verdict:
    """Reads a verdict, or raises `InvalidVerdictError`."""
    verdict = _VERDICTS.get(value)
    if verdict is None:
        raise InvalidVerdictError("a judgement is accept, reject or ignore")
    return verdict


def check_batch(request: gossip_pb2.PublishManyRequest) -> None:
    """Raises `BatchSizeError` if a request publishes too much at once."""
    if len(request.messages) > MAX_BATCH_MESSAGES or request.ByteSize() > MAX_BATCH_BYTES:
        raise BatchSizeError(f"a request publishes at most {MAX_BATCH_MESSAGES} messages or 4 MiB")


def outcome_to_pb(outcome: bytes | BaseException) -> gossip_pb2.PublishManyResponse.Outcome:
    """Packs the id of a published message, or why it was refused; raises what is no refusal."""
    if isinstance(outcome, bytes):
        return gossip_pb2.PublishManyResponse.Outcome(message_id=outcome)
    if isinstance(outcome, LogosError):
        return gossip_pb2.PublishManyResponse.Outcome(reason=outcome.reason)
    raise outcome


def batch_to_pb(batch: Batch) -> gossip_pb2.SubscribeResponse:
    """Packs messages and the count of lost ones."""
    response = gossip_pb2.SubscribeResponse(lost=batch.lost)
    for message in batch.messages:
        added = response.messages.add(
            message_id=message.message_id,
            data=message.data,
            from_peer_id=message.from_peer_id,
        )
        added.received_at.FromMicroseconds(message.received_unix_us)
    return response


def notice_to_pb(notice: Notice) -> peering_pb2.WatchPeersResponse:
    """Packs something that happened to a peer."""
    event = peering_pb2.WatchPeersResponse.Event.Value(f"EVENT_{notice.event.name}")
    response = peering_pb2.WatchPeersResponse(
        event=event, peer_id=notice.peer_id, detail=notice.detail
    )
    response.at.FromMilliseconds(notice.at_ms)
    return response


def traffic_to_pb(traffic: Traffic) -> peering_pb2.LinkTraffic:
    """Packs what a link has carried."""
    packed = peering_pb2.LinkTraffic(
        received_messages=traffic.received_messages,
        received_bytes=traffic.received_bytes,
        sent_messages=traffic.sent_messages,
        sent_bytes=traffic.sent_bytes,
    )
    packed.since.FromMicroseconds(traffic.since_us)
    return packed


def address_to_pb(score: AddressScore) -> peering_pb2.AddressInfo:
    """Packs what is known of an address."""
    value = peering_pb2.AddressInfo.Confidence.Value(f"CONFIDENCE_{score.confidence.name}")
    info = peering_pb2.AddressInfo(confidence=value)
    if score.heard_ms:
        info.heard_at.FromMilliseconds(score.heard_ms)
    if score.reached_ms:
        info.reached_at.FromMilliseconds(score.reached_ms)
    return info


def found_to_pb(found: Found) -> peering_pb2.ExchangePeersResponse.ExchangedPeer:
    """Packs a peer that another one names."""
    return peering_pb2.ExchangePeersResponse.ExchangedPeer(
        peer_id=found.peer_id,
        addresses=found.addresses,
        signed_record=found.signed,
        seq=found.seq,
        new=found.is_new,
    )


def counts_to_pb(machine: Peering) -> peering_pb2.PeeringCounts:
    """Packs what has happened to peers so far."""
    counts = machine.exchange.counts
    return peering_pb2.PeeringCounts(
        trimmed=machine.trimmed,
        exchanges_asked=counts.asked,
        exchanges_failed=counts.failed,
        exchanges_served=counts.served,
        exchanges_refused=counts.refused,
        records=len(machine.book.with_records()),
    )


def peer_to_pb(
    entry: PeerEntry, next_dial_ms: int | None, traffic: Traffic | None, value: Value
) -> peering_pb2.Peer:
    """Packs a peer of the address book."""
    best_first = entry.best_first()
    peer = peering_pb2.Peer(
        peer_id=entry.peer_id,
        addresses=best_first,
        address_info=[address_to_pb(entry.addresses[address]) for address in best_first],
        tags=value.tags,
        protections=value.protections,
        protected=value.is_protected,
        score=value.score,
        connected=entry.connection is not None,
        protocols=entry.protocols,
        agent=entry.agent,
        dial_failures=entry.dial_failures,
        bootstrap=entry.bootstrap,
    )
    if entry.signed is not None:
        peer.record_seq = entry.signed.seq
    if entry.connection is not None:
        peer.outbound = entry.connection.outbound
        peer.connected_since.FromMilliseconds(entry.connection.since_ms)
    if entry.connection is not None and traffic is not None:
        peer.traffic.CopyFrom(traffic_to_pb(traffic))
    if entry.round_trip_us is not None:
        peer.round_trip.FromMicroseconds(entry.round_trip_us)
    if next_dial_ms is not None:
        peer.next_dial_at.FromMilliseconds(next_dial_ms)
    if entry.ban is not None:
        if entry.ban.until_ms is None:
            peer.banned_until.FromJsonString(FOREVER)
        else:
            peer.banned_until.FromMilliseconds(entry.ban.until_ms)
    return peer
