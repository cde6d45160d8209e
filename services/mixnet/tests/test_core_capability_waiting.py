"""Waiting times, the similarity of addresses, and tickets."""

import math
from fractions import Fraction
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from capability_draws import advertisement, damaged, signer
from hypothesis import given
from hypothesis import strategies as st

from logos_base.errors import RemoteFaultError
from logos_mixnet.core.capability.errors import (
    MessageMalformedError,
    TicketOtherError,
    TicketSignatureError,
    TicketWindowError,
)
from logos_mixnet.core.capability.ip_tree import IpTree, plain
from logos_mixnet.core.capability.multiaddr import IpAddress
from logos_mixnet.core.capability.profiles import LOCAL, PUBLIC
from logos_mixnet.core.capability.tickets import MAX_WAIT_S, Ticket, decode_ticket
from logos_mixnet.core.capability.waiting import LowerBounds, waiting_time_s

AD = advertisement(1).encoded
OTHER_AD = advertisement(2).encoded

# Few bits differ, so that drawn addresses share prefixes of every length.
ips: st.SearchStrategy[IpAddress] = st.one_of(
    st.sampled_from([0, 1, 2, 255, 256, 1 << 16, 1 << 31, (1 << 32) - 1]).map(IPv4Address),
    st.sampled_from([1, 2, 1 << 64, 1 << 127]).map(IPv6Address),
)


def share(ip: IpAddress, counted: list[IpAddress]) -> Fraction:
    """The score by its definition, from the list of all addresses."""
    same = [each for each in counted if each.version == ip.version]
    bits = ip.max_prefixlen
    text = f"{int(ip):0{bits}b}"
    crowded = [
        length
        for length in range(1, bits + 1)
        if sum(f"{int(each):0{bits}b}".startswith(text[:length]) for each in same)
        > Fraction(len(same), 2**length)
    ]
    return Fraction(len(crowded), bits)


@given(st.lists(ips, max_size=12), st.data(), ips)
def test_the_score_follows_its_definition(
    added: list[IpAddress], data: st.DataObject, asked: IpAddress
) -> None:
    tree = IpTree()
    for ip in added:
        tree.add(ip)
    kept = list(added)
    for ip in data.draw(st.lists(st.sampled_from(added), unique_by=id)) if added else []:
        if ip in kept:
            kept.remove(ip)
            tree.remove(ip)

    assert tree.score(asked) == share(asked, kept)
    assert len(tree) <= 129 * len(kept)


@pytest.mark.vectors
@pytest.mark.parametrize(
    ("asked", "low", "high"),
    [
        ("192.168.1.100", 0.9, 1),
        ("192.168.1.200", 0.7, 1),
        ("192.168.255.255", 0.4, 0.7),
        ("192.255.255.255", 0.1, 0.4),
        ("10.0.0.1", -1, 0.1),
    ],
)
def test_scores_are_in_the_bounds_of_the_reference(asked: str, low: float, high: float) -> None:
    """nim-libp2p 12f25f0a, tests/libp2p/utils/test_iptree.nim, "graduated similarity"."""
    tree = IpTree()
    tree.add(IPv4Address("192.168.1.100"))

    assert low < tree.score(IPv4Address(asked)) <= high


def test_ipv4_in_ipv6_counts_as_ipv4() -> None:
    assert plain(ip_address("::ffff:1.2.3.4")) == IPv4Address("1.2.3.4")
    assert plain(ip_address("2001:db8::1")) == IPv6Address("2001:db8::1")


@given(st.integers(0, 999), st.integers(0, 999), st.integers(0, 32))
def test_the_waiting_time_is_the_formula_rounded_up(
    cached: int, of_service: int, levels: int
) -> None:
    of_service = min(cached, of_service)

    wait_s = waiting_time_s(
        PUBLIC, cached=cached, cached_of_service=of_service, ip_score=Fraction(levels, 32)
    )

    exact = 900 / (1 - cached / 1000) ** 10 * (of_service / 1000 + levels / 32 + 1e-7)
    expected = min(math.ceil(exact), MAX_WAIT_S)
    assert math.isclose(wait_s, expected, rel_tol=1e-9, abs_tol=1)
    assert 1 <= wait_s <= MAX_WAIT_S


@pytest.mark.parametrize(
    ("cached", "of_service", "score", "wait_s"),
    [
        (0, 0, Fraction(0), 1),  # never 0: the first request always gets a ticket
        (1, 1, Fraction(31, 32), 882),  # the second of two neighbours
        (1000, 0, Fraction(0), MAX_WAIT_S),  # full
        (1001, 0, Fraction(0), MAX_WAIT_S),
    ],
)
def test_waiting_times_at_the_edges(
    cached: int, of_service: int, score: Fraction, wait_s: int
) -> None:
    found_s = waiting_time_s(PUBLIC, cached=cached, cached_of_service=of_service, ip_score=score)

    assert found_s == wait_s


def test_local_networks_do_not_wait_for_their_likeness() -> None:
    crowd = {"cached": 20, "cached_of_service": 20, "ip_score": Fraction(1)}

    assert waiting_time_s(LOCAL, **crowd) == 2
    assert waiting_time_s(PUBLIC, **crowd) > 900


waits = st.dictionaries(st.integers(0, 2), st.integers(1, 40), min_size=1)


@given(st.lists(st.tuples(st.integers(0, 5), waits)))
def test_d2_no_time_ends_before_one_that_was_issued(
    history: list[tuple[int, dict[int, int]]],
) -> None:
    bounds, now_s = LowerBounds(), 0
    issued: list[tuple[int, int]] = []
    for gap_s, waits_s in history:
        now_s += gap_s
        bounded_s = bounds.apply(waits_s, now_s)
        for key, wait_s in waits_s.items():
            bounds.issue(key, wait_s, now_s)

        earlier = [end_s for key, end_s in issued if key in waits_s]
        assert now_s + bounded_s == max([now_s + max(waits_s.values()), *earlier])
        issued += [(key, now_s + wait_s) for key, wait_s in waits_s.items()]


def test_a_bound_that_is_forgotten_bounds_no_more() -> None:
    bounds = LowerBounds()
    bounds.issue("service", 100, 0)

    bounds.forget("service")
    bounds.forget("service")

    assert bounds.apply({"service": 1}, 0) == 1
    assert len(bounds) == 0


def test_a_ticket_is_signed_as_the_reference_does() -> None:
    ticket = Ticket(b"ad", 1, 2, 3).signed_by(signer(1))
    message = b"ad" + bytes([*[0] * 7, 1, *[0] * 7, 2, 0, 0, 0, 3])

    assert signer(1).public_key.has_signed(message, ticket.signature)
    assert ticket.encode().hex().startswith("0a0261641001180220032a")


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_tickets_come_back_as_they_were_sent(t_init_s: int, t_mod_s: int, wait_s: int) -> None:
    ticket = Ticket(AD, t_init_s, t_mod_s, wait_s, b"signature")

    assert decode_ticket(ticket.encode()) == ticket


def test_a_ticket_with_too_long_a_time_is_malformed() -> None:
    with pytest.raises(MessageMalformedError):
        decode_ticket(Ticket(AD, 0, 0, 2**32).encode())


@pytest.mark.parametrize("late_s", [0, 1, 2])
def test_d2_a_ticket_is_taken_within_its_window(late_s: int) -> None:
    ticket = Ticket(AD, 100, 100, 50).signed_by(signer(1))

    ticket.check(signer(1).public_key, AD, 150 + late_s, window_s=2)


@pytest.mark.parametrize("late_s", [-50, -1, 3, 1000])
def test_d2_early_and_late_tickets_are_rejected(late_s: int) -> None:
    ticket = Ticket(AD, 100, 100, 50).signed_by(signer(1))

    with pytest.raises(TicketWindowError):
        ticket.check(signer(1).public_key, AD, 150 + late_s, window_s=2)


def test_d2_tickets_of_others_are_rejected() -> None:
    ticket = Ticket(AD, 100, 100, 50).signed_by(signer(1))

    with pytest.raises(TicketSignatureError):
        ticket.check(signer(2).public_key, AD, 150, window_s=1)
    with pytest.raises(TicketOtherError):
        ticket.check(signer(1).public_key, OTHER_AD, 150, window_s=1)


@given(damaged(Ticket(AD, 100, 100, 50).signed_by(signer(1)).encode()))
def test_d2_altered_tickets_are_rejected(raw: bytes) -> None:
    whole = Ticket(AD, 100, 100, 50).signed_by(signer(1))
    try:
        ticket = decode_ticket(raw)
    except MessageMalformedError:
        return
    if ticket == whole:
        return  # an unknown field was added
    with pytest.raises(RemoteFaultError):
        ticket.check(signer(1).public_key, AD, 150, window_s=1)
