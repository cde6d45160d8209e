"""The simulated world does what it says, and the same again for the same seed."""

from collections.abc import Sequence

import pytest

from logos_base.machine import Answer, Refuse, Ticket
from logos_simulation.chance import Chance
from logos_simulation.disk import Disk
from logos_simulation.faults import crash_one, now_and_then, part_some, stall_one
from logos_simulation.links import Links, Weather
from logos_simulation.node import Node, Run
from logos_simulation.world import InvariantError, World, seeds


class Ticker:
    """Wakes every 100 ms, and says at which time of its clock."""

    def __init__(self) -> None:
        self.due_ms = 0
        self.ticks: list[int] = []

    def tick(self, now_ms: int) -> Sequence[str | Answer | Refuse]:
        self.ticks.append(now_ms)
        self.due_ms = now_ms + 100
        return []

    def next_wake_ms(self) -> int:
        return self.due_ms

    def say(self, what: str, now_ms: int) -> Sequence[str | Answer | Refuse]:
        return what.split()

    def question(self, ticket: Ticket, what: str, now_ms: int) -> Sequence[str | Answer | Refuse]:
        if not what:
            raise ValueError("nothing asked")
        return [Answer(ticket, what)]


def ticking(world: World) -> tuple[Node, list[Ticker]]:
    lives: list[Ticker] = []

    def boot(node: Node) -> None:
        lives.append(Ticker())
        Run(node, lives[-1], lambda _: None)

    node = Node(world, "one", boot)
    node.start()
    return node, lives


def test_chance_is_the_same_for_the_same_seed_and_within_bounds() -> None:
    draws = [Chance(7).below(10) for _ in range(2)]
    chance = Chance(7)
    many = [chance.below(10) for _ in range(1000)]

    assert draws[0] == draws[1] == many[0]
    assert set(many) == set(range(10))
    assert all(low <= Chance(low).between(low, low + 3) <= low + 3 for low in range(20))
    assert all(0 <= chance.random() < 1 for _ in range(100))


def test_time_moves_to_the_next_event_in_order() -> None:
    world, seen = World(0), []
    world.after(20, lambda: seen.append(("b", world.now_ms)))
    world.after(10, lambda: seen.append(("a", world.now_ms)))
    world.after(20, lambda: seen.append(("c", world.now_ms)))

    world.run(15)
    assert seen == [("a", 10)]
    world.run(100)

    assert seen == [("a", 10), ("b", 20), ("c", 20)]


def test_a_machine_is_woken_and_not_after_a_crash() -> None:
    world = World(0)
    node, lives = ticking(world)

    world.run(250)
    node.crash()
    world.run(1000)
    world.after(0, node.start)
    world.run(world.now_ms + 50)

    assert lives[0].ticks == [0, 100, 200]
    assert len(lives[1].ticks) == 1


def test_a_stalled_node_is_late_and_a_clock_that_is_set_is_noticed_within_a_minute() -> None:
    world = World(0)
    node, lives = ticking(world)
    world.run(50)
    node.stall(300)
    world.run(360)
    assert lives[0].ticks == [0, 350]

    node.jump(-3_600_000)
    world.run(60_000 + 451)
    assert lives[0].ticks == [0, 350]  # as with the driver: nothing is due

    node.jump(3_600_000)
    world.run(120_000 + 451)

    assert len(lives[0].ticks) >= 3


def test_effects_come_in_order_and_wait_for_one_that_takes_time() -> None:
    world, performed = World(0), []
    node = Node(world, "one", lambda _: None)
    node.start()
    ticker = Ticker()
    ticker.due_ms = 10**9

    def perform(effect: str) -> int | None:
        performed.append((world.now_ms, effect))
        if effect == "slow":
            run.report(ticker.say, "outcome")
            return 30
        return None

    run = Run(node, ticker, perform)
    run.put(ticker.say, "a slow b")
    run.put(ticker.say, "c")
    world.run(100)

    assert performed == [(0, "a"), (0, "slow"), (30, "b"), (30, "outcome"), (30, "c")]


def test_questions_are_answered_or_refused() -> None:
    world, outcomes = World(0), []
    node = Node(world, "one", lambda _: None)
    node.start()
    ticker = Ticker()
    run = Run(node, ticker, lambda _: None)

    run.ask(outcomes.append, ticker.question, "yes")
    run.ask(outcomes.append, ticker.question, "")

    assert outcomes[0] == "yes"
    assert isinstance(outcomes[1], ValueError)


def test_a_crash_keeps_what_was_synchronised_and_any_of_the_rest() -> None:
    kept = set()
    for seed in range(60):
        disk = Disk(Chance(seed))
        disk.write("file", 1, "old")
        disk.write("other", 1, "lost or not")
        disk.sync("file")
        disk.write("file", 1, "new")
        disk.write("file", 2, "new")
        assert disk.read("file", 1) == "new"
        assert set(disk.keys("file")) == {1, 2}
        disk.crash()
        kept.add((disk.read("file", 1), disk.read("file", 2)))

    assert kept == {("old", None), ("old", "new"), ("new", None), ("new", "new")}


def test_a_full_disk_refuses() -> None:
    disk = Disk(Chance(0))
    disk.is_full = True

    with pytest.raises(OSError, match="space"):
        disk.write("file", 1, "a")
    assert list(disk.keys("file")) == []


def test_messages_are_late_overtake_and_are_lost() -> None:
    world = World(3)
    links = Links(world, Weather(min_delay_ms=1, max_delay_ms=50, loss_percent=30))
    one, two = (Node(world, name, lambda _: None) for name in ("one", "two"))
    one.start()
    two.start()
    arrived: list[int] = []
    lost: list[int] = []
    for number in range(100):
        links.send(
            one,
            two,
            lambda number=number: arrived.append(number),
            lambda number=number: lost.append(number),
        )  # type: ignore[misc]

    world.run(1000)

    assert sorted(arrived + lost) == list(range(100))
    assert arrived != sorted(arrived)
    assert 10 < len(lost) < 60


def test_a_partition_parts_and_heals() -> None:
    world = World(0)
    links = Links(world, Weather())
    nodes = [Node(world, name, lambda _: None) for name in ("a", "b", "c")]
    for node in nodes:
        node.start()
    links.part(["a"], for_ms=1000)
    arrived: list[str] = []
    links.send(nodes[0], nodes[1], lambda: arrived.append("a to b"))
    links.send(nodes[1], nodes[2], lambda: arrived.append("b to c"))

    world.run(1000)
    links.send(nodes[0], nodes[1], lambda: arrived.append("a to b later"))
    world.run(2000)

    assert arrived == ["b to c", "a to b later"]


def test_a_partition_may_last_until_it_is_healed() -> None:
    world = World(0)
    links = Links(world, Weather())
    links.part(["a"])
    world.run(10_000)
    assert not links.are_joined("a", "b")

    links.heal(["a"])

    assert links.are_joined("a", "b")


def test_a_broken_invariant_reports_the_seed_and_the_last_events() -> None:
    world = World(42)
    node, lives = ticking(world)
    world.always(lambda: "ticked three times" if len(lives[0].ticks) == 3 else None)

    with pytest.raises(InvariantError) as failure:
        world.run(10_000)

    assert "ticked three times (seed 42; LOGOS_SIMULATION_SEED=42 repeats it)" in str(failure.value)
    assert str(failure.value).count("one          tick") == 3
    assert world.now_ms == 200
    assert node.is_up


def test_a_machine_that_wants_to_be_woken_for_ever_is_found() -> None:
    world = World(0)
    node = Node(world, "one", lambda _: None)
    node.start()
    ticker = Ticker()
    ticker.tick = lambda _: []  # type: ignore[method-assign]
    ticker.tick.__name__ = "tick"
    Run(node, ticker, lambda _: None)

    with pytest.raises(InvariantError, match="time stands still"):
        world.run(10)


def test_a_bug_in_a_machine_is_shown_with_the_trace() -> None:
    world = World(1)
    world.after(5, lambda: {}["nothing"])

    with pytest.raises(InvariantError, match=r"KeyError.*seed 1"):
        world.run(10)


def test_the_same_seed_gives_the_same_run() -> None:
    def history(seed: int) -> list[object]:
        world = World(seed)
        links = Links(world, Weather(loss_percent=10))
        nodes = [Node(world, str(number), lambda _: None) for number in range(5)]
        seen: list[object] = []
        for node in nodes:
            node.start()
        now_and_then(world, (10, 50), 5000, lambda: crash_one(world, nodes, down_ms=(1, 99)))
        now_and_then(world, (10, 50), 5000, lambda: stall_one(world, nodes, for_ms=(1, 99)))
        now_and_then(world, (10, 90), 5000, lambda: part_some(world, links, nodes, for_ms=(1, 99)))
        now_and_then(
            world,
            (1, 9),
            5000,
            lambda: links.send(nodes[0], nodes[1], lambda: seen.append(world.now_ms)),
        )
        world.run(6000)
        return seen

    assert history(1) == history(1)
    assert history(1) != history(2)


def test_a_seed_can_be_repeated_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(seeds(3)) == [0, 1, 2]
    monkeypatch.setenv("LOGOS_SIMULATION_SEED", "17")
    assert list(seeds(3)) == [17]
