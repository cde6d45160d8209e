"""The network between nodes: delays, reordering, loss and partitions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from logos_simulation.node import Node
from logos_simulation.world import World


@dataclass(frozen=True, slots=True)
class Weather:
    """The delay and loss of messages in a network."""

    min_delay_ms: int = 5
    max_delay_ms: int = 100
    """Each message has its own delay, so they are reordered."""
    loss_percent: float = 0.0


class Links:
    """Carries messages between the nodes of one world."""

    def __init__(self, world: World, weather: Weather) -> None:
        self.weather = weather
        self._world = world
        self._side: dict[str, int] = {}

    def delay_ms(self) -> int:
        """Draws the delay of a message."""
        return self._world.chance.between(self.weather.min_delay_ms, self.weather.max_delay_ms)

    def part(self, names: Iterable[str], *, for_ms: int | None = None) -> None:
        """Cuts some nodes off from all others for a while; None: until `heal`."""
        parted = list(names)
        for name in parted:
            self._side[name] = 1
        self._world.note("network", "parts", *parted)
        if for_ms is not None:
            self._world.after(for_ms, lambda: self.heal(parted))

    def heal(self, names: Iterable[str]) -> None:
        """Joins nodes with all others again."""
        healed = list(names)
        for name in healed:
            self._side.pop(name, None)
        self._world.note("network", "heals", *healed)

    def are_joined(self, one: str, other: str) -> bool:
        """Returns whether two nodes can reach each other."""
        return self._side.get(one, 0) == self._side.get(other, 0)

    def send(
        self,
        sender: Node,
        receiver: Node,
        arrives: Callable[[], None],
        lost: Callable[[], None] | None = None,
    ) -> None:
        """Delivers a message, or loses it and then calls `lost`, if given.

        A message to a node that is down counts as lost, as with a reset connection.
        """
        is_lost = self._world.chance.hits(self.weather.loss_percent)

        def arrive() -> None:
            if receiver.is_up and not is_lost and self.are_joined(sender.name, receiver.name):
                receiver.after(0, arrives)
            elif lost is not None:
                sender.after(self.delay_ms(), lost)

        sender.after(self.delay_ms(), arrive)
