import pytest
from capability_draws import ADDRESS, SERVICE, advertisement, damaged, signer
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto.protobuf import bytes_field, number_field
from logos_mixnet.core.capability.distance import service_id_of
from logos_mixnet.core.capability.errors import MessageMalformedError
from logos_mixnet.core.capability.keys import PeerId
from logos_mixnet.core.capability.tickets import Ticket
from logos_mixnet.core.capability.wire import (
    MAX_MESSAGE_BYTES,
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
PEERS = tuple(Peer(signer(at).public_key.peer_id, (ADDRESS,)) for at in range(3))

peers = st.builds(
    Peer,
    st.binary(min_size=1, max_size=64).map(PeerId),
    st.lists(st.binary(min_size=1, max_size=40), max_size=4).map(tuple),
)
closer_peers = st.lists(peers, max_size=16).map(tuple)


def test_a_query_has_the_bytes_of_the_lip() -> None:
    assert encode_request(GetAdsRequest(MIX)).hex() == "0807" + "1220" + MIX.hex()


def test_a_registration_has_the_bytes_of_the_lip() -> None:
    raw = encode_request(RegisterRequest(MIX, b"ad", Ticket(b"ad", 1, 2, 3, b"sig")))

    ticket = "0a026164" + "1001" + "1802" + "2003" + "2a03736967"
    body = "0a026164" + "1a0f" + ticket
    assert raw.hex() == "0806" + "1220" + MIX.hex() + "aa01" + "15" + body


def test_a_confirmation_names_its_status_although_it_is_0() -> None:
    assert encode_response(RegisterResponse(Status.CONFIRMED)).hex() == "0806aa01021000"


@pytest.mark.parametrize("ticket", [None, TICKET])
def test_registrations_come_back_as_they_were_sent(ticket: Ticket | None) -> None:
    request = RegisterRequest(MIX, AD, ticket)

    assert decode_request(encode_request(request)) == request


def test_queries_come_back_as_they_were_sent() -> None:
    assert decode_request(encode_request(GetAdsRequest(MIX))) == GetAdsRequest(MIX)


@given(st.sampled_from(Status), closer_peers)
def test_responses_to_registrations_come_back(status: Status, named: tuple[Peer, ...]) -> None:
    ticket = Ticket(b"ad", 1, 2, 3, b"sig") if status is Status.WAIT else None
    response = RegisterResponse(status, ticket, named)
    raw = encode_response(response)

    decoded = decode_register_response(raw)

    assert len(raw) <= MAX_MESSAGE_BYTES
    assert decoded.status is status
    assert decoded.ticket == ticket
    assert decoded.closer_peers == named[: len(decoded.closer_peers)]
    assert decoded.closer_peers == named or len(raw) > MAX_MESSAGE_BYTES - 250


@given(st.lists(st.binary(min_size=1, max_size=1024), max_size=10).map(tuple), closer_peers)
def test_responses_to_queries_fit_into_a_message(
    found: tuple[bytes, ...], named: tuple[Peer, ...]
) -> None:
    raw = encode_response(GetAdsResponse(found, named))

    decoded = decode_get_ads_response(raw)

    assert len(raw) <= MAX_MESSAGE_BYTES
    assert decoded.advertisements == found[: len(decoded.advertisements)]
    assert decoded.closer_peers == named[: len(decoded.closer_peers)]
    if sum(map(len, found)) < 2000:
        assert decoded.advertisements == found


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        number_field(1, 4) + bytes_field(2, MIX),
        number_field(1, 16) + bytes_field(2, MIX),
        number_field(1, 7) + bytes_field(2, MIX[1:]),
        number_field(1, 7),
        number_field(1, 6) + bytes_field(2, MIX),
        number_field(1, 6) + bytes_field(2, MIX) + bytes_field(21, bytes_field(1, b"")),
        number_field(1, 6) + bytes_field(2, MIX) + bytes_field(21, bytes_field(1, bytes(1025))),
        number_field(1, 7) + bytes_field(2, MIX) + bytes_field(99, bytes(MAX_MESSAGE_BYTES)),
    ],
    ids=["empty", "find", "nim", "short key", "no key", "no ad", "empty ad", "long ad", "long"],
)
def test_requests_that_break_a_rule_are_malformed(raw: bytes) -> None:
    with pytest.raises(MessageMalformedError):
        decode_request(raw)


@pytest.mark.parametrize(
    "body",
    [
        number_field(2, 3),
        number_field(2, 1),
        number_field(2, 0) + bytes_field(3, TICKET.encode()),
        number_field(2, 1) + bytes_field(3, b"\x0a"),
    ],
    ids=["status", "no ticket", "ticket", "malformed ticket"],
)
def test_responses_that_break_a_rule_are_malformed(body: bytes) -> None:
    with pytest.raises(MessageMalformedError):
        decode_register_response(number_field(1, 6) + bytes_field(21, body))


def test_peers_that_break_a_rule_are_malformed() -> None:
    for peer in (bytes_field(2, ADDRESS), bytes_field(1, bytes(65))):
        with pytest.raises(MessageMalformedError):
            decode_get_ads_response(number_field(1, 7) + bytes_field(8, peer))


def test_more_than_16_peers_and_4_addresses_are_left_out() -> None:
    peer = bytes_field(1, b"peer") + bytes_field(2, ADDRESS) * 5
    long = bytes_field(1, b"long") + bytes_field(2, bytes(361)) + bytes_field(2, ADDRESS)
    raw = number_field(1, 7) + bytes_field(8, long) + bytes_field(8, peer) * 20

    decoded = decode_get_ads_response(raw)

    assert decoded.closer_peers[0] == Peer(PeerId(b"long"), (ADDRESS,))
    assert decoded.closer_peers[1:] == (Peer(PeerId(b"peer"), (ADDRESS,) * 4),) * 15


@given(damaged(encode_request(RegisterRequest(MIX, AD, TICKET))))
def test_hostile_requests_are_read_or_malformed(raw: bytes) -> None:
    try:
        request = decode_request(raw)
    except MessageMalformedError:
        return
    assert decode_request(encode_request(request)) == request


@given(damaged(encode_response(RegisterResponse(Status.WAIT, TICKET, PEERS))))
def test_hostile_responses_are_read_or_malformed(raw: bytes) -> None:
    try:
        response = decode_register_response(raw)
    except MessageMalformedError:
        return
    assert decode_register_response(encode_response(response)) == response


@given(damaged(encode_response(GetAdsResponse((AD, AD), PEERS))))
def test_hostile_advertisements_are_read_or_malformed(raw: bytes) -> None:
    try:
        response = decode_get_ads_response(raw)
    except MessageMalformedError:
        return
    assert decode_get_ads_response(encode_response(response)) == response
