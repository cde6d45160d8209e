"""ZON-13: the same bytes are given again until they are old and refused."""

from logos_zone_sdk.core.paid import PaidMessages
from logos_zone_sdk.core.places import MAX_PENDING
from logos_zone_sdk.core.sequencing import RESUBMIT_MS


def test_a_transaction_is_made_anew_once_an_old_one_is_refused() -> None:
    paid = PaidMessages()
    assert paid.get(b"m") is None
    paid.put(b"m", b"raw", 1_000)
    paid.refused(b"m", 1_000 + RESUBMIT_MS - 1)
    assert paid.get(b"m") == b"raw"
    paid.refused(b"m", 1_000 + RESUBMIT_MS)
    assert paid.get(b"m") is None
    paid.refused(b"m", 1_000 + RESUBMIT_MS)


def test_no_more_are_kept_than_a_sequencer_has_payloads() -> None:
    paid = PaidMessages()
    for at in range(MAX_PENDING + 1):
        paid.put(b"%d" % at, b"raw", 0)
    assert paid.get(b"0") is None
    assert paid.get(b"1") == paid.get(b"%d" % MAX_PENDING) == b"raw"
