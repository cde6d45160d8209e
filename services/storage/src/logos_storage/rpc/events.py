"""Happenings as events of the node: `logos.storage.v1` events.proto."""

from google.protobuf.duration_pb2 import Duration

from logos.storage.v1 import events_pb2 as pb
from logos_storage.core.happenings import Deleted, Fetched, Happening, Stored


def event_of(happening: Happening) -> tuple[str, bytes]:
    """Returns the topic, without the module's name, and the payload."""
    match happening:
        case Stored(cid, name, size, mark):
            stored = pb.StoredEvent(cid=str(cid), filename=name, size_bytes=size, mark=mark)
            return "stored", stored.SerializeToString()
        case Fetched(cid, name, size, providers, took_ms, mark):
            took = Duration()
            took.FromMilliseconds(took_ms)
            fetched = pb.FetchedEvent(
                cid=str(cid),
                filename=name,
                size_bytes=size,
                providers=providers,
                took=took,
                mark=mark,
            )
            return "fetched", fetched.SerializeToString()
        case Deleted(cid, name, freed, mark):
            deleted = pb.DeletedEvent(cid=str(cid), filename=name, freed_bytes=freed, mark=mark)
            return "deleted", deleted.SerializeToString()
