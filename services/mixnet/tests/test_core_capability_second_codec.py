"""What the product writes, Google's library reads and writes the same; and the reverse."""

from typing import Any

from capability_draws import SERVICE, addresses, advertisement, sequences, services, signer
from capability_messages import CLASSES
from hypothesis import given
from hypothesis import strategies as st

from logos_mixnet.core.capability.distance import service_id_of
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.records import ServiceInfo, open_record, sign_record
from logos_mixnet.core.capability.tickets import Ticket
from logos_mixnet.core.capability.wire import (
    GetAdsRequest,
    GetAdsResponse,
    Peer,
    RegisterRequest,
    RegisterResponse,
    Status,
    decode_get_ads_response,
    decode_register_response,
    decode_request,
    encode_request,
    encode_response,
)

MIX = service_id_of(SERVICE)
AD = advertisement(1).encoded
TICKET = Ticket(AD, 100, 110, 50).signed_by(signer(2))
peers = st.lists(
    st.builds(
        Peer,
        st.binary(min_size=1, max_size=39).map(PeerId),
        st.lists(st.binary(min_size=1, max_size=20), max_size=3).map(tuple),
    ),
    max_size=9,
).map(tuple)


def read(name: str, raw: bytes) -> Any:
    message = CLASSES[name].FromString(raw)
    assert message.SerializeToString(deterministic=True) == raw
    return message


@given(sequences, addresses, st.lists(services, max_size=4))
def test_signed_records(seq: int, places: list[bytes], offered: list[ServiceInfo]) -> None:
    identity = signer(1)
    signed = sign_record(identity, seq, places, offered)

    envelope = CLASSES["Envelope"].FromString(signed.encoded)
    key = read("PublicKey", envelope.public_key)
    record = CLASSES["Record"].FromString(envelope.payload)

    assert envelope.SerializeToString(deterministic=True) == signed.encoded
    assert (key.type, len(key.data)) == (2, 33)
    assert envelope.payload_type == b"\x03\x01"
    assert (record.peer_id, record.seq) == (identity.public_key.peer_id, seq)
    assert [each.multiaddr for each in record.addresses] == places
    named = [(each.id, each.data if each.HasField("data") else None) for each in record.services]
    assert named == [(each.id, each.data) for each in offered]


def test_a_record_that_another_library_wrote_opens() -> None:
    record = CLASSES["Record"](peer_id=signer(3).public_key.peer_id, seq=0)  # the 0 is written
    record.services.add(id=SERVICE, data=bytes(32))
    payload = record.SerializeToString()
    message = b"\x12libp2p-peer-record" + b"\x02\x03\x01" + bytes([len(payload)]) + payload
    envelope = CLASSES["Envelope"](
        public_key=signer(3).public_key.encoded,
        payload_type=b"\x03\x01",
        payload=payload,
        signature=signer(3).sign(message),
    )

    opened = open_record(envelope.SerializeToString())

    assert opened.record.services == (ServiceInfo(SERVICE, bytes(32)),)


def test_requests() -> None:
    query = read("Message", encode_request(GetAdsRequest(MIX)))
    registration = read("Message", encode_request(RegisterRequest(MIX, AD, TICKET)))

    assert (query.type, query.key) == (7, MIX)
    assert (registration.type, registration.key) == (6, MIX)
    assert registration.register.advertisement == registration.register.ticket.advertisement == AD
    ticket = registration.register.ticket
    assert (ticket.t_init, ticket.t_mod, ticket.t_wait_for) == (100, 110, 50)
    assert ticket.signature == TICKET.signature
    assert decode_request(registration.SerializeToString()) == RegisterRequest(MIX, AD, TICKET)


@given(st.sampled_from(Status), peers)
def test_responses_to_registrations(status: Status, named: tuple[Peer, ...]) -> None:
    ticket = TICKET if status is Status.WAIT else None
    response = RegisterResponse(status, ticket, named)

    message = read("Message", encode_response(response))

    assert message.type == 6
    assert message.register.HasField("status")
    assert message.register.status == status
    assert message.register.HasField("ticket") == (ticket is not None)
    assert [(each.id, tuple(each.addrs)) for each in message.closerPeers] == [
        (each.peer_id, each.addresses) for each in named
    ]
    assert decode_register_response(message.SerializeToString()) == response


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=10).map(tuple), peers)
def test_responses_to_queries(found: tuple[bytes, ...], named: tuple[Peer, ...]) -> None:
    response = GetAdsResponse(found, named)

    message = read("Message", encode_response(response))

    assert message.type == 7
    assert tuple(message.getAds.advertisements) == found
    assert decode_get_ads_response(message.SerializeToString()) == response


def test_what_peers_of_the_reference_may_add_is_ignored() -> None:
    message = CLASSES["Message"](type=7, key=MIX, clusterLevelRaw=3)
    message.closerPeers.add(id=b"peer", addrs=[b"address"], connection=1)
    message.providerPeers.add(id=b"other")
    message.getAds.advertisements.append(AD)

    decoded = decode_get_ads_response(message.SerializeToString())

    assert decoded == GetAdsResponse((AD,), (Peer(PeerId(b"peer"), (b"address",)),))
