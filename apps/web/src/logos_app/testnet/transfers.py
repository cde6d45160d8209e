"""What storage tells of files, and the chain of payments, as lines of the timeline. Pure."""

from collections.abc import Callable, Mapping
from typing import Final

from google.protobuf.message import DecodeError

from logos.chain.v1.events_pb2 import PaidEvent
from logos.kernel.v1 import events_pb2
from logos.storage.v1 import events_pb2 as pb
from logos_app.nodes.reading import milliseconds
from logos_app.shown import formats
from logos_app.testnet.telling import Happening, plain

Said = tuple[str, str, str, str, str]
"""Verb, mark on the lifeline, CID, session, and the sentence."""


def _stored(node: str, payload: bytes) -> Said:
    told = pb.StoredEvent.FromString(payload)
    text = f"{_subject(told.filename, 'stored', told.mark)} on {node}"
    return "store", "dot", told.cid, told.mark, f"{text}: {formats.size(told.size_bytes)}."


def _fetched(node: str, payload: bytes) -> Said:
    told = pb.FetchedEvent.FromString(payload)
    size, took = formats.size(told.size_bytes), formats.duration(told.took.ToMilliseconds())
    text = f"{_subject(told.filename, 'fetched', told.mark)} to {node}"
    return "fetch", "dot", told.cid, told.mark, f"{text}: {size} in {took}."


def _deleted(node: str, payload: bytes) -> Said:
    told = pb.DeletedEvent.FromString(payload)
    text = f"{_subject(told.filename, 'deleted', told.mark)} from {node}."
    return "delete", "warn", told.cid, told.mark, text


def _paid(node: str, payload: bytes) -> Said:
    told = PaidEvent.FromString(payload)
    subject = "{Who} sent tokens" if told.mark else "Tokens were sent"
    return "transfer", "dot", "", told.mark, f"{subject} from {node}, and a block has them."


_TOPICS: Final[Mapping[str, Callable[[str, bytes], Said]]] = {
    "storage/stored": _stored,
    "storage/fetched": _fetched,
    "storage/deleted": _deleted,
    "chain/paid": _paid,
}


def _subject(filename: str, done: str, mark: str) -> str:
    """Who did it to what, if a client of ours did; else what it was done to."""
    name = plain(filename)
    return f"{{Who}} {done} {name or 'a file'}" if mark else f"{name or 'A file'} was {done}"


def transfer(node: str, event: events_pb2.Event) -> Happening | None:
    """The line for an event of storage or the chain; None for any other."""
    told = _TOPICS.get(event.topic)
    if told is None:
        return None
    try:
        verb, mark, cid, session, text = told(node, event.payload)
    except DecodeError:
        return None
    return Happening(
        node,
        event.position,
        milliseconds(event.published_at),
        "transfers",
        mark,
        text,
        session=plain(session),
        cid=plain(cid),
        verb=verb,
    )
