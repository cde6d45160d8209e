"""What storage and the chain tell, as lines of the timeline (STO-41, STO-42, WAL-33)."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from logos.chain.v1.events_pb2 import PaidEvent
from logos.kernel.v1 import events_pb2
from logos.storage.v1 import events_pb2 as pb
from logos_app.nodes.model import ModuleSeen, NodeSeen, Reach
from logos_app.shell.tour import steps
from logos_app.testnet.telling import Happening
from logos_app.testnet.transfers import transfer

STORED = pb.StoredEvent(cid="zA", filename="a.bin", size_bytes=2_000_000)
FETCHED = pb.FetchedEvent(
    cid="zA", filename="a.bin", size_bytes=2_000_000, providers=["p"], took=Duration(seconds=2)
)
DELETED = pb.DeletedEvent(cid="zA", filename="a.bin", freed_bytes=2_000_000)


def told(topic: str, payload: bytes) -> Happening | None:
    event = events_pb2.Event(position=7, topic=f"storage/{topic}", payload=payload)
    return transfer("node2", event)


@pytest.mark.parametrize(
    ("topic", "message", "verb", "alone", "by_you"),
    [
        (
            "stored",
            STORED,
            "store",
            "a.bin was stored on node2: 1.9 MiB.",
            "You stored a.bin on node2: 1.9 MiB.",
        ),
        (
            "fetched",
            FETCHED,
            "fetch",
            "a.bin was fetched to node2: 1.9 MiB in 2 s.",
            "You fetched a.bin to node2: 1.9 MiB in 2 s.",
        ),
        (
            "deleted",
            DELETED,
            "delete",
            "a.bin was deleted from node2.",
            "You deleted a.bin from node2.",
        ),
    ],
)
def test_a_line_says_what_and_who_if_a_session_did_it(
    topic: str, message: Message, verb: str, alone: str, by_you: str
) -> None:
    plain = told(topic, message.SerializeToString())
    assert plain is not None
    assert (plain.verb, plain.cid, plain.kind, plain.key) == (verb, "zA", "transfers", "node2-7")
    assert plain.told("mine") == alone

    message.mark = "mine"  # type: ignore[attr-defined]
    marked = told(topic, message.SerializeToString())
    assert marked is not None
    assert marked.told("mine") == by_you
    assert marked.told("other").startswith("Another session ")


def paid(mark: str) -> Happening:
    payload = PaidEvent(mark=mark).SerializeToString()
    told = transfer("node2", events_pb2.Event(position=7, topic="chain/paid", payload=payload))
    assert told is not None
    return told


def test_a_payment_is_told_whoever_made_it() -> None:
    assert paid("").told("mine") == "Tokens were sent from node2, and a block has them."
    assert paid("mine").told("mine") == "You sent tokens from node2, and a block has them."
    assert paid("mine").told("x") == "Another session sent tokens from node2, and a block has them."
    assert paid("{who} {0}").told("x").startswith("Another session sent tokens from node2")


@pytest.mark.parametrize("mark", ["", "mine"])
def test_a_payment_by_any_client_completes_the_tour_s_step(mark: str) -> None:
    node = NodeSeen("node2", "", Reach.ANSWERS, modules=(ModuleSeen("chain", "ready"),))

    def step(*happenings: Happening) -> bool:
        return next(one.is_done for one in steps([node], happenings) if "tokens" in one.words)

    assert not step()
    assert step(paid(mark))


def test_a_file_without_a_name_is_a_file() -> None:
    one = told("stored", pb.StoredEvent(cid="zA").SerializeToString())

    assert one is not None
    assert one.told("") == "A file was stored on node2: 0 B."


def test_a_name_cannot_be_a_part_of_the_sentence() -> None:
    event = pb.StoredEvent(filename="{who} {0}\u202e", mark="x").SerializeToString()

    one = told("stored", event)

    assert one is not None
    assert "stored (who) (0)[U+202E] on node2" in one.told("x")


def test_other_topics_and_broken_payloads_say_nothing() -> None:
    assert told("other", b"") is None
    assert told("stored", b"\xff\xff") is None


@given(st.binary())
def test_no_payload_raises(payload: bytes) -> None:
    for topic in ("stored", "fetched", "deleted"):
        one = told(topic, payload)
        assert one is None or one.told("x")
