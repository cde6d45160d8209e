"""What every `EventStore` does (KER-35). Subclass it with an `events` fixture."""

from logos_kernel.core.events import (
    PAGE_BYTES,
    Commit,
    DeadLetter,
    Event,
    Group,
    KeysUpTo,
    KnownKey,
    NewEvent,
    Page,
    PastLog,
    Published,
    Removed,
    Segment,
)
from logos_kernel.core.ports import EventStore

SAID = NewEvent(bytes(range(256)), (("kind", "Zürich"),))


def event(position: int, topic: str = "base/x", sequence: int = 0, said: NewEvent = SAID) -> Event:
    return Event(position, topic, sequence or position, 7, 1000 + position, said)


def key(position: int, *, epoch: int = 2, name: str = "") -> KnownKey:
    where = Published(position, position, position)
    return KnownKey("base", epoch, name or f"k{position}", "base/x", where)


class EventStoreContract:
    """One suite for all stores."""

    async def test_is_empty_at_first(self, events: EventStore) -> None:
        assert await events.load(4) == PastLog()
        assert await events.read(["*"], 0, 10) == Page((), 0)
        assert await events.read_topic("base/x", 1, 10) == ()
        assert await events.position_before(at_ms=0) is None
        assert (await events.load_groups(), await events.letter_index()) == ([], [])

    async def test_returns_what_matches_after_a_position(self, events: EventStore) -> None:
        topics = ["base/x", "top/x_y", "base-2/x", "base/y", "topaxy/x"]
        stored = [event(at, topic, 1) for at, topic in enumerate(topics, 1)]
        await events.append(Commit(tuple(stored)))

        async def read(*patterns: str, after: int = 0) -> list[Event]:
            return list((await events.read(patterns, after, 10)).events)

        assert await read("*") == stored
        assert await read("base/*") == [stored[0], stored[3]]
        assert await read("base/*", "top/x_y", after=1) == [stored[1], stored[3]]
        assert await read("base/z") == []

    async def test_a_page_says_how_far_it_goes(self, events: EventStore) -> None:
        await events.append(Commit(tuple(map(event, range(1, 6)))))

        assert (await events.read(["*"], 0, 2)).position == 2
        assert (await events.read(["top/*"], 0, 2)).position == 5
        assert (await events.read(["*"], 4, 2)).position == 5
        assert (await events.read(["*"], 9, 2)).position == 9

    async def test_a_page_is_bounded_in_bytes_and_has_one_event_at_least(
        self, events: EventStore
    ) -> None:
        large = NewEvent(bytes(PAGE_BYTES // 2))
        huge = NewEvent(bytes(2 * PAGE_BYTES))
        said = [large, large, large, huge]
        await events.append(Commit(tuple(event(at, said=one) for at, one in enumerate(said, 1))))

        found = [await events.read(["*"], after, 10) for after in range(4)]

        assert [len(page.events) for page in found] == [1, 1, 1, 1]
        assert [page.position for page in found] == [1, 2, 3, 4]
        assert len(await events.read_topic("base/x", 3, 4)) == 1

    async def test_removes_and_says_so(self, events: EventStore) -> None:
        await events.append(Commit(tuple(map(event, range(1, 6)))))
        removed = Removed("base/x", 3, 3)
        await events.append(Commit((event(6),), removed=(removed,)))

        page = await events.read(["base/x"], 2, 10)
        assert [one.position for one in page.events] == [4, 5, 6]
        assert page.removed == (removed,)
        assert (await events.read(["base/x"], 3, 10)).removed == ()
        assert (await events.read(["top/*"], 0, 10)).removed == ()
        assert len(await events.read_topic("base/x", 1, 4)) == 1

    async def test_loads_segments_removals_and_keys(self, events: EventStore) -> None:
        size = SAID.size
        stored = [event(at, "base/x", at) for at in range(1, 7)] + [event(7, "top/x", 1)]
        await events.append(Commit(tuple(stored), (key(2), key(1))))
        removed = Removed("base/x", 3, 3)
        await events.append(Commit((event(8, "top/x", 2),), removed=(removed,)))

        assert await events.load(4) == PastLog(
            segments=(
                ("base/x", Segment(1, 4, 6, 6, 3 * size)),
                ("top/x", Segment(0, 1, 2, 8, 2 * size)),
            ),
            removed=(removed,),
            keys=tuple(sorted([key(1), key(2)], key=lambda one: one.published.position)),
        )

    async def test_forgets_keys(self, events: EventStore) -> None:
        old = key(1, epoch=1)
        await events.append(Commit((event(1),), (old,)))
        await events.append(Commit((event(2), event(3)), (key(2), key(3))))

        await events.append(Commit((event(4),), forgotten=(KeysUpTo("base", 2, 2),)))

        assert (await events.load(4)).keys == (key(3),)

    async def test_finds_positions_by_time_and_sequence(self, events: EventStore) -> None:
        await events.append(Commit((event(5, "base/x", 1), event(6, "top/x", 1))))

        assert await events.position_before(at_ms=0) == 4
        assert await events.position_before(at_ms=1006) == 5
        assert await events.position_before(at_ms=1007) is None
        assert await events.position_before(topic="top/x", sequence=1) == 5
        assert await events.position_before(topic="top/x", sequence=2) is None

    async def test_keeps_groups_and_dead_letters(self, events: EventStore) -> None:
        one, other = Group("base/g", ("*",), 4, 9), Group("base/h", ("a/b", "c/*"), 0, 9)
        letters = [DeadLetter(1, "base/g", event(3), 5), DeadLetter(2, "base/h", event(4), 5)]
        await events.save_group(other, letters[1:])
        await events.save_group(Group("base/g", ("*",), 1, 1), letters[:1])
        await events.save_group(one)

        assert await events.load_groups() == [one, other]
        assert sorted(await events.letter_index()) == [(1, "base/g"), (2, "base/h")]
        assert [await events.load_letter(id_) for id_ in (1, 2, 3)] == [*letters, None]
        await events.delete_letters([2])
        assert await events.letter_index() == [(1, "base/g")]
        await events.delete_group("base/g")
        assert await events.load_groups() == [other]
        assert await events.letter_index() == []
