import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_mixnet.core import trimming as module
from logos_mixnet.core.errors import TooManyTagsError
from logos_mixnet.core.trimming import (
    MAX_MARKED,
    MAX_TAGS,
    RETURN_MS,
    Trim,
    Trimming,
    Watermarks,
)

MARKS = Watermarks(low=2, high=4, grace_ms=100, silence_ms=1000)


@pytest.fixture
def trimming() -> Trimming:
    return Trimming(MARKS)


def connect(trimming: Trimming, *names: str, now_ms: int = 0, is_outbound: bool = False) -> None:
    for name in names:
        assert trimming.connected(name, now_ms, is_outbound=is_outbound) == []


def trimmed(trimming: Trimming, now_ms: int) -> list[str]:
    return [each.peer_id for each in trimming.tick(now_ms)]


def test_up_to_the_high_watermark_nobody_goes(trimming: Trimming) -> None:
    connect(trimming, *"abcd")

    assert trimming.next_wake_ms() is None
    assert trimmed(trimming, 100_000) == []


def test_beyond_it_the_newest_go_down_to_the_low_one(trimming: Trimming) -> None:
    for at, name in enumerate("abcde"):
        connect(trimming, name, now_ms=at)

    assert trimming.next_wake_ms() == 100
    assert trimmed(trimming, 1000) == ["e", "d", "c"]
    assert trimming.next_wake_ms() is None


def test_d6_protected_peers_stay(trimming: Trimming) -> None:
    connect(trimming, *"abcde")
    for name in "abcd":
        trimming.protect(name, "reason", 0)
    trimming.protect("a", "another", 0)

    assert trimmed(trimming, 1000) == ["e"]
    connect(trimming, "f", now_ms=2000)
    trimming.unprotect("a", "reason", 2000)
    assert trimmed(trimming, 3000) == ["f"]
    connect(trimming, "g", now_ms=5000)
    assert trimming.unprotect("a", "another", 5000) == [Trim("a")]


def test_with_all_protected_there_is_nothing_to_wait_for(trimming: Trimming) -> None:
    for name in "abcde":
        trimming.protect(name, "reason", 0)
    connect(trimming, *"abcde")

    assert trimming.next_wake_ms() is None
    assert trimmed(trimming, 1000) == []


def test_d6_new_peers_are_left_alone(trimming: Trimming) -> None:
    connect(trimming, *"abc")
    connect(trimming, *"de", now_ms=50)

    assert trimmed(trimming, 99) == []
    assert sorted(trimmed(trimming, 149)) == ["a", "b", "c"]


def test_trimmings_are_apart(trimming: Trimming) -> None:
    connect(trimming, *"abcde")
    assert len(trimmed(trimming, 100)) == 3
    connect(trimming, *"fgh", now_ms=100)

    assert trimming.next_wake_ms() == 1100
    assert trimmed(trimming, 1099) == []
    assert len(trimmed(trimming, 1100)) == 3


def test_worth_counts_before_age(trimming: Trimming) -> None:
    connect(trimming, "a", is_outbound=True)
    connect(trimming, *"bcd")
    connect(trimming, "e", now_ms=5)
    trimming.tag("e", "useful", 40, 5)
    trimming.tag("d", "useful", 30, 5)
    trimming.tag("c", "harmful", -10, 5)

    assert trimmed(trimming, 1000) == ["c", "b", "d"]


def test_tags_fade_and_are_replaced(trimming: Trimming) -> None:
    trimming.tag("a", "recent", 60, 1000, lasts_ms=600)
    trimming.tag("a", "good", 5, 1000)

    worth = [trimming.value_of("a", now_ms) for now_ms in (1000, 1300, 1599, 1600, 9000)]
    trimming.tag("a", "recent", 7, 9000)
    trimming.untag("a", "good", 9000)
    trimming.untag("a", "good", 9000)

    assert worth == [65, 35, 5, 5, 5]
    assert trimming.value_of("a", 9000) == 7
    assert trimming.value_of("unknown", 0) == 0


def test_tags_and_protections_outlive_a_connection(trimming: Trimming) -> None:
    connect(trimming, "a", is_outbound=True)
    trimming.tag("a", "good", 5, 0)
    trimming.protect("a", "reason", 0)

    trimming.disconnected("a", 10)
    trimming.disconnected("a", 10)
    assert trimming.value_of("a", 10) == 5
    connect(trimming, "a", *"bcde", now_ms=20)

    gone = trimmed(trimming, 1000)

    assert len(gone) == 3
    assert "a" not in gone


def test_tags_are_bounded(trimming: Trimming) -> None:
    for at in range(MAX_TAGS):
        trimming.tag("a", f"tag{at}", 1, 0)
        trimming.protect("a", f"reason{at}", 0)
    trimming.tag("a", "tag0", 2, 0)
    trimming.protect("a", "reason0", 0)

    with pytest.raises(TooManyTagsError):
        trimming.tag("a", "more", 1, 0)
    with pytest.raises(TooManyTagsError):
        trimming.protect("a", "more", 0)
    with pytest.raises(ValueError, match="while"):
        trimming.tag("a", "tag0", 1, 0, lasts_ms=0)


def test_of_those_that_are_gone_the_first_is_forgotten(trimming: Trimming) -> None:
    trimming.protect("here", "reason", 0)
    connect(trimming, "here")
    for at in range(MAX_MARKED + 1):
        trimming.tag(f"peer{at}", "good", 1, 0)

    assert trimming.value_of("peer0", 0) == 0
    assert trimming.value_of("peer1", 0) == 1
    assert trimming.value_of(f"peer{MAX_MARKED}", 0) == 1


def test_those_that_were_trimmed_count_as_gone(trimming: Trimming) -> None:
    names = [f"peer{at}" for at in range(MAX_MARKED + 4)]
    for at, name in enumerate(names):
        if at:
            trimming.tag(name, "good", 1, 0)
        else:
            trimming.protect(name, "reason", 0)
        connect(trimming, name)

    assert len(trimmed(trimming, 100_000)) == len(names) - MARKS.low
    trimming.tag("new", "good", 1, 100_000)

    assert sum(trimming.value_of(name, 100_000) for name in names) == MAX_MARKED


def test_who_comes_back_after_it_was_trimmed_has_no_grace_again(trimming: Trimming) -> None:
    connect(trimming, *"abcde")
    back, *_ = trimmed(trimming, 1000)
    trimming.disconnected(back, 1000)

    connect(trimming, back, now_ms=1001)  # there is room
    connect(trimming, *"fgh", now_ms=1950)

    assert trimmed(trimming, 2000)[0] == back


def test_beyond_the_high_watermark_who_was_trimmed_is_refused_at_once(trimming: Trimming) -> None:
    connect(trimming, *"abcde")
    gone = trimmed(trimming, 1000)
    connect(trimming, "f", "g", now_ms=1000)
    trimming.tag(gone[2], "good", 1, 1000)

    assert trimming.connected(gone[0], 1001, is_outbound=False) == [Trim(gone[0])]
    assert trimming.connected(gone[1], 1001, is_outbound=True) == []  # this node wants it
    assert trimming.connected(gone[2], 1001, is_outbound=False) == []
    later_ms = 1002 + RETURN_MS
    assert Trim(gone[0]) not in trimming.connected(gone[0], later_ms, is_outbound=False)


def test_it_is_not_remembered_of_any_number_of_peers_that_they_were_trimmed(
    trimming: Trimming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_TRIMMED", 2)
    connect(trimming, *"abcdefgh")
    assert len(trimmed(trimming, 1000)) == 6
    assert len(trimming._trimmed_ms) == 2


def test_watermarks_make_sense() -> None:
    with pytest.raises(ValueError, match="below"):
        Watermarks(low=4, high=4)


steps = st.tuples(st.integers(0, 300), st.sampled_from("cdpuot"), st.integers(0, 9))


@given(st.lists(steps, max_size=60))
def test_d6_whatever_happens_the_rules_hold(history: list[tuple[int, str, int]]) -> None:
    trimming, now_ms, last_ms = Trimming(MARKS), 0, -10_000
    since: dict[str, int] = {}
    protected, seen_off = set[str](), set[str]()
    for gap_ms, what, number in history:
        now_ms += gap_ms
        name = f"peer{number}"
        before = len(since)
        is_back = name in seen_off and name not in since and name not in protected
        is_back = is_back and trimming.value_of(name, now_ms) <= 0
        match what:
            case "c" if is_back and before >= MARKS.high:
                assert trimming.connected(name, now_ms, is_outbound=False) == [Trim(name)]
                trimming.disconnected(name, now_ms)
                effects = []
            case "c" if is_back:
                since[name] = now_ms - MARKS.grace_ms
                effects = trimming.connected(name, now_ms, is_outbound=False)
            case "c" | "o":
                since[name] = now_ms
                effects = trimming.connected(name, now_ms, is_outbound=what == "o")
            case "d":
                since.pop(name, None)
                effects = trimming.disconnected(name, now_ms)
            case "p":
                protected.add(name)
                effects = trimming.protect(name, "reason", now_ms)
            case "u":
                protected.discard(name)
                effects = trimming.unprotect(name, "reason", now_ms)
            case _:
                effects = trimming.tag(name, "tag", number, now_ms, lasts_ms=gap_ms + 1)
        effects = [*effects, *trimming.tick(now_ms)]

        gone = [each.peer_id for each in effects]
        if gone:
            assert len(since) > MARKS.high or before > MARKS.high
            assert now_ms - last_ms >= MARKS.silence_ms
            assert not protected & set(gone)
            assert all(now_ms - since[each] >= MARKS.grace_ms for each in gone)
            last_ms = now_ms
        seen_off.update(gone)
        for each in gone:
            del since[each]
            trimming.disconnected(each, now_ms)
        free = [
            each
            for each in since
            if each not in protected and now_ms - since[each] >= MARKS.grace_ms
        ]
        settled = now_ms - last_ms < MARKS.silence_ms
        assert len(since) <= MARKS.high or settled or not free
        assert not gone or len(since) >= MARKS.low
