import pytest
from exchange_peers import OWN

from logos_base.machine import Ticket
from logos_mixnet.core.capability.keys import Ed25519Signer, signer_of
from logos_mixnet.core.capability.multiaddr import decode_address
from logos_mixnet.core.capability.numbers import RecordNumbers
from logos_mixnet.core.capability.offers import Offer, Offers, Save
from logos_mixnet.core.capability.records import open_record
from logos_mixnet.core.own_record import (
    MAX_OWN_ADDRESSES,
    RENEW_MS,
    OwnRecord,
)

HERE = "/ip4/10.0.0.1/tcp/1"


def test_it_says_where_the_node_listens_and_verifies() -> None:
    numbers = RecordNumbers()
    numbers.started(0, 4)

    signed = OwnRecord(OWN.signer, numbers).current([HERE], 5)

    opened = open_record(signed.encoded).record
    assert opened == signed.record
    assert opened.seq == 5
    assert [str(decode_address(raw)) for raw in opened.addresses] == [HERE]


def test_it_is_signed_anew_for_other_addresses_and_every_hour_with_a_greater_number() -> None:
    own = OwnRecord(OWN.signer, RecordNumbers())
    first = own.current([HERE], 5)

    assert own.current([HERE], 4 + RENEW_MS) is first
    renewed = own.current([HERE], 5 + RENEW_MS)
    moved = own.current(["/ip4/10.0.0.2/tcp/1"], 6 + RENEW_MS)

    assert first.record.seq < renewed.record.seq < moved.record.seq


def test_its_number_is_greater_than_that_of_every_other_record_before() -> None:
    """Offers and it have one source, which goes on after a restart with the clock set back."""
    seqs: list[int] = []
    stored, now_ms = 0, 10**12
    for at in range(6):
        numbers = RecordNumbers()
        numbers.started(stored, now_ms)
        stored = numbers.reserved
        own, offers = OwnRecord(OWN.signer, numbers), Offers(OWN.signer, numbers)
        offers.reached_at([b"\x04\x0a\x00\x00\x01\x06\x00\x01"], now_ms)
        for part in range(3):
            seqs.append(own.current([f"/ip4/10.0.0.{part + 1}/tcp/1"], now_ms).record.seq)
            [save] = offers.offer(Ticket(1), Offer(f"/{part}"), now_ms)
            assert isinstance(save, Save)
            seqs.append(save.seq)
            stored = save.reserved
            offers.stored(save, now_ms)
        own.current(["/ip4/10.0.0.9/tcp/1"], now_ms)  # nothing is stored after it
        now_ms -= 3_600_000 * (at % 2)

    assert seqs == sorted(set(seqs))


def test_many_and_long_addresses_fit() -> None:
    names = [f"/dns4/{'n' * 60}.{'x' * 20}{number}/tcp/1" for number in range(300)]

    signed = OwnRecord(OWN.signer, RecordNumbers()).current(names, 1)

    assert len(signed.record.addresses) == MAX_OWN_ADDRESSES
    assert len(signed.encoded) <= 1024


@pytest.mark.parametrize("key_type", ["secp256k1", "ed25519"])
def test_nodes_of_either_key_have_a_record(key_type: str) -> None:
    signer = signer_of(key_type, OWN.secret)  # type: ignore[arg-type]

    signed = OwnRecord(signer, RecordNumbers()).current([HERE], 1)

    assert open_record(signed.encoded).record.peer_id == signer.public_key.peer_id
    assert len(signer.public_key.peer_id) == (38 if isinstance(signer, Ed25519Signer) else 39)
