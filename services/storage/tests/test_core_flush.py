import pytest

from logos_base.machine import Answer, Refuse, Ticket
from logos_storage.core.bitfield import Bitfield
from logos_storage.core.flush import FLUSH_BYTES, FLUSH_MS, Complete, Flush, Note, Sync

BLOCK = 4096
T = Ticket(1)


def partial(count: int = 8) -> tuple[Bitfield, Flush]:
    bitfield = Bitfield(count)
    return bitfield, Flush(bitfield, 0)


def test_blocks_are_synchronised_before_they_are_noted() -> None:
    bitfield, flush = partial()
    bitfield.add(0)

    assert flush.written(BLOCK, 10) == []
    assert flush.next_wake_ms() == FLUSH_MS
    assert flush.tick(FLUSH_MS) == [Sync()]
    assert flush.synced(FLUSH_MS + 5) == [Note(b"\1")]
    assert flush.noted(FLUSH_MS + 6) == []
    assert flush.next_wake_ms() is None


def test_what_comes_during_a_flush_is_not_noted_by_it() -> None:
    bitfield, flush = partial()
    bitfield.add(0)
    flush.written(BLOCK, 0)
    assert flush.tick(FLUSH_MS) == [Sync()]

    bitfield.add(1)
    assert flush.written(BLOCK, FLUSH_MS + 1) == []

    assert flush.synced(FLUSH_MS + 2) == [Note(b"\1")]
    assert flush.noted(FLUSH_MS + 3) == []
    assert flush.tick(2 * FLUSH_MS) == [Sync()]
    assert flush.synced(2 * FLUSH_MS) == [Note(b"\3")]


def test_much_is_flushed_at_once_and_one_flush_at_a_time() -> None:
    bitfield, flush = partial()
    bitfield.add(0)

    assert flush.written(FLUSH_BYTES, 1) == [Sync()]
    assert flush.written(FLUSH_BYTES, 2) == []
    assert flush.tick(10 * FLUSH_MS) == []


def test_the_last_block_is_noted_as_complete_and_nothing_after_it() -> None:
    bitfield, flush = partial(1)
    bitfield.add(0)
    flush.written(BLOCK, 0)

    assert flush.finish(T, 0) == [Sync()]
    assert flush.synced(1) == [Complete()]
    assert flush.noted(2) == [Answer(T)]
    assert flush.written(BLOCK, 3) == []
    assert flush.finish(T, 4) == [Answer(T)]
    assert flush.tick(10 * FLUSH_MS) == []


def test_finish_waits_for_what_came_during_a_flush_too() -> None:
    bitfield, flush = partial()
    bitfield.add(0)
    flush.written(BLOCK, 0)
    flush.tick(FLUSH_MS)
    bitfield.add(1)
    flush.written(BLOCK, FLUSH_MS)

    assert flush.finish(T, FLUSH_MS) == []
    flush.synced(FLUSH_MS)
    assert flush.noted(FLUSH_MS) == [Sync()]
    assert flush.synced(FLUSH_MS) == [Note(b"\3")]
    assert flush.noted(FLUSH_MS) == [Answer(T)]


def test_with_nothing_written_finish_is_answered_at_once() -> None:
    _, flush = partial()

    assert flush.finish(T, 0) == [Answer(T)]


@pytest.mark.parametrize("fails_at", ["sync", "note"])
def test_a_failed_flush_refuses_and_is_tried_again_with_all_of_it(fails_at: str) -> None:
    bitfield, flush = partial()
    bitfield.add(0)
    flush.written(BLOCK, 0)
    flush.finish(T, 0)
    error = OSError("full")
    if fails_at == "note":
        flush.synced(0)

    assert flush.failed(error, 5) == [Refuse(T, error)]

    assert flush.next_wake_ms() == FLUSH_MS
    assert flush.tick(FLUSH_MS) == [Sync()]
    assert flush.synced(FLUSH_MS) == [Note(b"\1")]


def test_a_tree_that_was_put_meanwhile_needs_no_note() -> None:
    bitfield, flush = partial(2)
    bitfield.add(0)
    flush.written(BLOCK, 0)
    flush.tick(FLUSH_MS)
    bitfield.add(1)

    assert flush.replaced(FLUSH_MS) == []
    assert flush.synced(FLUSH_MS) == []
    assert flush.finish(T, FLUSH_MS) == [Answer(T)]
    assert flush.next_wake_ms() is None
