"""SDS: floods and arbitrary messages (CHN-17).

The behaviours that nim-sds tests in tests/test_reliability.nim at 07491b2, and our rules.
"""

from hypothesis import given
from hypothesis import strategies as st
from sds_parties import T0, Party, contents, made, sent

from logos_delivery.core.channels.sds_message import HistoryEntry, SdsMessage, decode, encode
from logos_delivery.core.channels.sds_types import Ignored, IgnoreReason, Park


def test_a_flood_of_messages_that_wait_leaves_room_for_others() -> None:
    """CHN-17."""
    bob = Party("bob")
    gone = (HistoryEntry("gone"),)

    effects = bob.get(*(made(f"m{number}", history=gone) for number in range(2000)))

    assert Ignored(IgnoreReason.NO_ROOM) in effects
    assert len(bob.sds.parked) == 512
    other = encode(SdsMessage("honest", "h", "channel", T0, gone, content=b"h"))
    assert bob.get(other) == [Park(decode(other))]


def test_what_had_no_room_is_not_acknowledged_and_may_come_again() -> None:
    bob = Party("bob")
    gone = (HistoryEntry("gone"),)
    bob.get(*(made(f"m{number}", history=gone) for number in range(512)))
    late = made("late", history=gone)
    assert bob.get(late) == [Ignored(IgnoreReason.NO_ROOM)]

    named = {entry.message_id for each in sent(bob.wait(10_000)) for entry in each.history}
    assert "late" not in named
    bob.get(made("gone"))

    assert contents(bob.get(late)) == [b"late"]


@given(
    st.lists(
        st.binary(max_size=80)
        | st.builds(
            lambda sender, name, lamport, history, repairs, content: encode(
                SdsMessage(
                    sender,
                    name,
                    "channel",
                    lamport,
                    tuple(map(HistoryEntry, history)),
                    b"",
                    tuple(map(HistoryEntry, repairs)),
                    content,
                )
            ),
            st.sampled_from(["a", "b", "bob"]),
            st.sampled_from("uvwxyz"),
            st.none() | st.integers(T0 - 10, T0 + 10) | st.just((1 << 64) - 1),
            st.lists(st.sampled_from("uvwxyz"), max_size=3),
            st.lists(st.sampled_from("uvwxyz"), max_size=3),
            st.sampled_from([b"", b"c"]),
        ),
        max_size=30,
    )
)
def test_nothing_that_is_received_raises_or_stops_time(raws: list[bytes]) -> None:
    bob = Party("bob", sync_ms=30_000)

    for raw in raws:
        bob.get(raw)
        bob.wait(7_000)
    bob.send(b"x")
    bob.wait(400_000)

    assert len(bob.sds.parked) == 0
