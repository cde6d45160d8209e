"""A node of a simulated world, and the run of one machine on it."""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final, Generic, TypeVar, TypeVarTuple

from logos_base.machine import Answer, Machine, Refuse, Ticket
from logos_simulation.disk import Disk
from logos_simulation.world import World

MAX_SLEEP_MS: Final = 60_000
"""As in the real driver: a clock may jump."""

Effect = TypeVar("Effect")
Args = TypeVarTuple("Args")
Effects = Sequence[Effect | Answer | Refuse]
Outcome = Callable[[object], None]


class Node:
    """A node that may crash and restart. A crash cancels everything scheduled on it."""

    def __init__(self, world: World, name: str, boot: Callable[["Node"], None]) -> None:
        self.world = world
        self.name = name
        self.disk = Disk(world.chance)
        self.is_up = False
        self.skew_ms = 0
        """How far its clock is off; `jump` changes it."""
        self._boot = boot
        self._life = 0
        self._stalled_until_ms = 0

    @property
    def now_ms(self) -> int:
        """The time by its own clock."""
        return self.world.now_ms + self.skew_ms

    def start(self) -> None:
        """Boots it from its disk. Does nothing if it is up."""
        if not self.is_up:
            self._life += 1
            self.is_up = True
            self.world.note(self.name, "starts")
            self._boot(self)

    def crash(self) -> None:
        """Cancels everything scheduled on it, and loses writes that are not durable."""
        if self.is_up:
            self.is_up = False
            self._life += 1
            self.disk.crash()
            self.world.note(self.name, "crashes")

    def stall(self, for_ms: int) -> None:
        """Suspends it for a while; then it does everything that was due."""
        self._stalled_until_ms = max(self._stalled_until_ms, self.world.now_ms + for_ms)
        self.world.note(self.name, "stalls for", for_ms, "ms")

    def jump(self, by_ms: int) -> None:
        """Moves its clock."""
        self.skew_ms += by_ms
        self.world.note(self.name, "clock jumps by", by_ms, "ms")

    def after(self, delay_ms: int, what: Callable[[], None]) -> None:
        """Calls `what` later, unless the node crashes before."""
        life = self._life

        def due() -> None:
            wait_ms = self._stalled_until_ms - self.world.now_ms
            if life != self._life:
                return
            if wait_ms > 0:
                self.world.after(wait_ms, due)
            else:
                what()

        self.world.after(delay_ms, due)


class Run(Generic[Effect]):
    """Runs one machine on a node, as the driver of `logos_module` does on an event loop.

    `perform` returns for how many milliseconds the machine waits for an effect, or None not to
    wait; 0 ends the wait at the same time, but after other events of that time. `now_ms` is the
    clock of the machine, if not the node's own.
    """

    def __init__(
        self,
        node: Node,
        machine: Machine[Effect],
        perform: Callable[[Effect], int | None],
        now_ms: Callable[[], int] | None = None,
    ) -> None:
        self._node = node
        self._now_ms = now_ms or (lambda: node.now_ms)
        self._machine = machine
        self._perform = perform
        self._inputs: deque[tuple[str, tuple[object, ...], Callable[[int], Effects[Effect]]]]
        self._inputs = deque()
        self._outcomes = self._inputs.copy()
        self._effects: deque[Effect | Answer | Refuse] = deque()
        self._is_busy = False
        self._asked: dict[Ticket, Outcome] = {}
        self._tickets = map(Ticket, count(1))
        self._wake_ms: int | None = None
        self._armed = 0
        self._arm()

    def put(self, step: Callable[[*Args, int], Effects[Effect]], *args: *Args) -> None:
        """Gives the machine an input."""
        self._inputs.append((step.__name__, args, lambda now_ms: step(*args, now_ms)))
        self._work()

    def report(self, step: Callable[[*Args, int], Effects[Effect]], *args: *Args) -> None:
        """Puts the outcome of an effect ahead of waiting inputs."""
        self._outcomes.append((step.__name__, args, lambda now_ms: step(*args, now_ms)))
        self._work()

    def ask(
        self,
        done: Outcome,
        step: Callable[[Ticket, *Args, int], Effects[Effect]],
        *args: *Args,
    ) -> None:
        """Puts a question; `done` gets its answer, or the error that refused it."""
        ticket = next(self._tickets)
        self._asked[ticket] = done

        def input_(now_ms: int) -> Effects[Effect]:
            try:
                return step(ticket, *args, now_ms)
            except Exception as error:  # noqa: BLE001 -- it refuses the question
                return [Refuse(ticket, error)]

        self._inputs.append((step.__name__, args, input_))
        self._work()

    def _work(self) -> None:
        if self._is_busy:
            return
        self._is_busy = True
        while self._effects or self._take():
            if not self._effects:
                continue
            wait_ms = self._do(self._effects.popleft())
            if wait_ms is not None:
                self._node.after(wait_ms, self._go_on)
                return
        self._is_busy = False
        self._arm()

    def _go_on(self) -> None:
        self._is_busy = False
        self._work()

    def _take(self) -> bool:
        waiting = self._outcomes or self._inputs
        if not waiting:
            return False
        name, args, step = waiting.popleft()
        effects = step(self._now_ms())
        self._node.world.note(self._node.name, name, *args, "->" if effects else "", *effects)
        self._effects.extend(effects)
        return True

    def _do(self, effect: Effect | Answer | Refuse) -> int | None:
        if not isinstance(effect, Answer | Refuse):
            return self._perform(effect)
        done = self._asked.pop(effect.ticket, None)
        if done is not None:
            done(effect.value if isinstance(effect, Answer) else effect.error)
        return None

    def _arm(self) -> None:
        wake_ms = self._machine.next_wake_ms()
        if wake_ms == self._wake_ms:
            return
        self._wake_ms = wake_ms
        self._armed += 1
        if wake_ms is not None:
            number = self._armed
            delay_ms = max(0, min(wake_ms - self._now_ms(), MAX_SLEEP_MS))
            self._node.after(delay_ms, lambda: self._wake(number))

    def _wake(self, number: int) -> None:
        if number != self._armed:
            return
        self._wake_ms, wake_ms = None, self._machine.next_wake_ms()
        if wake_ms is None or wake_ms > self._now_ms():
            self._arm()
        else:
            self.put(self._machine.tick)
