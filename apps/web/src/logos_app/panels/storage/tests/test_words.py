"""What the panel says of files and transfers."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from logos.storage.v1 import storage_pb2 as pb
from logos_app.panels.storage.words import (
    Holding,
    is_last_copy,
    mark_of,
    matches,
    move_of,
    picked,
    sentence,
)
from logos_app.shown.problems import SENTENCES

GIB = 1024**3


@pytest.mark.parametrize(
    ("space", "moving", "failed", "text"),
    [
        (None, 0, 0, "Asking node1 for its files."),
        (pb.SpaceResponse(), 0, 0, "Nothing is stored on node1 yet."),
        (
            pb.SpaceResponse(datasets=11, used_bytes=int(1.9 * GIB), quota_bytes=20 * GIB),
            1,
            1,
            (
                "node1 keeps eleven files, 1.9 of its 20 GiB. One is on the way in and one"
                " could not be fetched."
            ),
        ),
        (
            pb.SpaceResponse(datasets=1, quota_bytes=GIB),
            2,
            0,
            "node1 keeps one file, 0 of its 1 GiB. Two are on the way in.",
        ),
    ],
)
def test_the_sentence(space: pb.SpaceResponse | None, moving: int, failed: int, text: str) -> None:
    assert sentence("node1", space, moving, failed) == text


def progress(state: int, **others: object) -> pb.FetchProgress:
    values = {"held_bytes": 78 * 1024**2, "total_bytes": 252 * 1024**2, **others}
    return pb.FetchProgress(cid="zDvAbcdefghijklmn", state=state, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fetch", "how"),
    [
        (
            progress(
                pb.FETCH_STATE_FETCHING,
                bytes_per_second=40265318,
                providers=["p1", "p3", "px"],
                time_left=Duration(seconds=7),
            ),
            "30 % · 78 of 252 MiB · 38.4 MiB/s · 7 s left · from another node, node1 and node3",
        ),
        (progress(pb.FETCH_STATE_FETCHING), "30 % · 78 of 252 MiB · looks for nodes that hold it"),
        (progress(pb.FETCH_STATE_QUEUED), "30 % · 78 of 252 MiB · waits for its turn"),
        (
            progress(pb.FETCH_STATE_WAITING, reason="NODE_ISOLATED"),
            (
                "30 % · 78 of 252 MiB · node4 is isolated, so it connects to nobody. Heal it first."
                " · It goes on by itself."
            ),
        ),
        (
            progress(
                pb.FETCH_STATE_DONE,
                held_bytes=252 * 1024**2,
                started_at=Timestamp(seconds=1),
                ended_at=Timestamp(seconds=3),
            ),
            "100 % · 252 of 252 MiB · in 2 s",
        ),
        (
            progress(pb.FETCH_STATE_FAILED, reason="DISK_FULL", detail="310 MiB are lacking"),
            (
                "Stopped at 30 % · node4 has no room on its disk: 310 MiB are lacking. Free some"
                " there, or use another node."
            ),
        ),
        (progress(pb.FETCH_STATE_CANCELLED), "Cancelled · 30 % · 78 of 252 MiB"),
    ],
)
def test_transfers_say_how_they_go(fetch: pb.FetchProgress, how: str) -> None:
    move = move_of(fetch, {"p1": "node1", "p3": "node3"}, SENTENCES, "node4")

    assert move.how == how


@pytest.mark.parametrize(
    ("dataset", "mark"),
    [
        (None, "none"),
        (pb.Dataset(block_count=4), "none"),
        (pb.Dataset(block_count=4, blocks_held=1), 0.25),
        (pb.Dataset(block_count=4, blocks_held=4), "whole"),
        (pb.Dataset(), "whole"),
    ],
)
def test_what_a_node_holds(dataset: pb.Dataset | None, mark: float | str) -> None:
    assert mark_of(dataset) == mark


NODES = ("node1", "node2", "node3")


@pytest.mark.parametrize(
    ("marks", "text", "is_last"),
    [
        (("whole", "none", "none"), "only on node1", True),
        (("whole", "unknown", "none"), "1 of 3", True),
        (("whole", "whole", 0.5), "2 of 3", False),
        (("none", "none", "none"), "0 of 3", True),
    ],
)
def test_holders(marks: tuple[float | str, ...], text: str, *, is_last: bool) -> None:
    held = Holding(marks, NODES)

    assert held.text == text
    assert is_last_copy(held, "node1") == is_last


def test_unknown_is_told_from_no() -> None:
    assert Holding(("whole", "unknown", 0.31), NODES).label == (
        "whole on node1, node2 did not answer, 31 percent on node3"
    )


@pytest.mark.parametrize(
    ("query", "is_meant"), [("HARB", True), ("zDv1", True), ("zDv", False), ("pdf", False)]
)
def test_search(query: str, *, is_meant: bool) -> None:
    assert matches(pb.Dataset(filename="harbour.mp4", cid="zDv1"), query) == is_meant


@pytest.mark.parametrize(
    ("marks", "ready", "node"),
    [
        (("none", "whole", "whole"), ["a", "b", "c"], "b"),
        (("none", "whole", "whole"), ["a", "c"], "c"),
        ((0.2, 0.7, "none"), ["a", "b", "c"], "b"),
        (("none", "unknown", "none"), ["b", "c"], "b"),
        (("whole", "whole", "whole"), [], ""),
    ],
)
def test_a_file_is_seen_from_the_ready_node_that_has_most(
    marks: tuple[float | str, ...], ready: list[str], node: str
) -> None:
    assert picked(Holding(marks, ("a", "b", "c")), ready)[0] == node
