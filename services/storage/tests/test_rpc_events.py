"""What storage tells its node (STO-41 to STO-43)."""

import asyncio
import hashlib
from typing import Any

import pytest

from logos.storage.v1 import events_pb2
from logos.storage.v1 import storage_pb2 as pb
from logos_module.marks import MARK
from logos_storage.core.cid import MANIFEST, Cid, parse_text
from logos_storage.core.happenings import Deleted, Fetched, Stored
from logos_storage.rpc.events import event_of
from streaming import send

CONTENT = hashlib.shake_128(b"told").digest(3 * 1024 * 1024 + 100)
CID = Cid(MANIFEST, hashlib.sha256(b"a dataset").digest())


async def put(net: Any, node: Any, *, mark: str = "") -> str:
    requests = [
        pb.PutRequest(header=pb.PutRequest.Header(filename="a.bin")),
        *(
            pb.PutRequest(data=CONTENT[at : at + (1 << 20)])
            for at in range(0, len(CONTENT), 1 << 20)
        ),
    ]
    metadata = [(MARK, mark)] if mark else []
    cid = (await (await send(node.stub.Put(metadata=metadata), requests))).dataset.cid
    await net.announced(parse_text(cid, MANIFEST).binary, node.peer)
    return str(cid)


async def test_a_put_is_told_with_its_mark(net: Any) -> None:
    one = await net.node("one")

    cid = await put(net, one, mark="mine")

    assert one.told == [Stored(parse_text(cid, MANIFEST), "a.bin", len(CONTENT), "mine")]


async def test_a_put_that_breaks_off_is_not(net: Any) -> None:
    one = await net.node("one")
    call = one.stub.Put()
    await call.write(pb.PutRequest(header=pb.PutRequest.Header(filename="a.bin")))

    call.cancel()
    await put(net, one)

    assert len(one.told) == 1


@pytest.mark.parametrize("way", ["fetch", "get"])
async def test_a_dataset_that_came_is_told_once_with_those_that_sent_it(net: Any, way: str) -> None:
    one, two = await net.node("one"), await net.node("two")
    cid = await put(net, one)

    if way == "fetch":
        await two.stub.Fetch(pb.FetchRequest(cid=cid), metadata=[(MARK, "mine")])
        watching = two.stub.WatchFetch(pb.WatchFetchRequest(cid=cid))
        assert [one.progress.state async for one in watching][-1] == pb.FETCH_STATE_DONE
    else:
        call = two.stub.Get(pb.GetRequest(cid=cid), metadata=[(MARK, "mine")])
        assert b"".join([one.data async for one in call]) == CONTENT

    async with asyncio.timeout(60):
        while not two.told:  # noqa: ASYNC110 - told by the node, not to us
            await asyncio.sleep(0.01)
    (told,) = two.told
    assert isinstance(told, Fetched)
    assert (told.cid, told.filename) == (parse_text(cid, MANIFEST), "a.bin")
    assert (told.size_bytes, told.providers, told.mark) == (len(CONTENT), ("one",), "mine")
    assert told.took_ms >= 0

    assert await two.get(cid) == CONTENT
    assert two.told == [told], "it was all here"


async def test_a_range_is_no_fetch_of_the_dataset(net: Any) -> None:
    one, two = await net.node("one"), await net.node("two")
    cid = await put(net, one)

    assert await two.get(cid, length=100) == CONTENT[:100]
    await two.stub.Delete(pb.DeleteRequest(cid=cid), metadata=[(MARK, "m")])

    (deleted,) = two.told
    assert isinstance(deleted, Deleted)
    assert (deleted.filename, deleted.mark) == ("a.bin", "m")
    assert deleted.freed_bytes > 0


async def test_a_deletion_of_what_is_not_here_is_not_told(net: Any) -> None:
    one = await net.node("one")

    await one.stub.Delete(pb.DeleteRequest(cid=str(CID)))

    assert one.told == []


def test_events_say_what_happened() -> None:
    topic, payload = event_of(Stored(CID, "a", 5, "m"))
    stored = events_pb2.StoredEvent.FromString(payload)
    assert topic == "stored"
    assert stored == events_pb2.StoredEvent(cid=str(CID), filename="a", size_bytes=5, mark="m")

    topic, payload = event_of(Fetched(CID, "a", 5, ("p", "q"), 1500, "m"))
    fetched = events_pb2.FetchedEvent.FromString(payload)
    assert (topic, list(fetched.providers)) == ("fetched", ["p", "q"])
    assert fetched.took.ToMilliseconds() == 1500

    topic, payload = event_of(Deleted(CID, "a", 4))
    deleted = events_pb2.DeletedEvent.FromString(payload)
    assert topic == "deleted"
    assert deleted == events_pb2.DeletedEvent(cid=str(CID), filename="a", freed_bytes=4)
