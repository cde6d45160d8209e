"""The shape of every protocol machine (docs/adr/0017).

A machine is an object without sockets, clock or randomness of its own. Each **input** is
a method that takes the time last, in milliseconds, and returns the **effects** that follow,
in order: `opened(peer, now_ms) -> list[Effect]`. Every decision of the machine leaves it as an
effect, and the outcome of an effect comes back as another input. `tick` is the input for time
alone, and `next_wake_ms` returns when it is due.

An input whose outcome a caller waits for is a **question**: it takes a ticket first, and is
answered by an `Answer` or a `Refuse` with that ticket, at once or after any number of other
inputs. A question that raises is refused with that exception, and has changed nothing.

`logos_module.driver` runs machines on an event loop, `logos_simulation` on virtual time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType, Protocol, TypeVar

Ticket = NewType("Ticket", int)
"""Identifies a question. Never reused."""

Effect_co = TypeVar("Effect_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a question."""

    ticket: Ticket
    value: object = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """The failure of a question."""

    ticket: Ticket
    error: Exception


class Machine(Protocol[Effect_co]):
    """The methods of a machine that drivers call; other inputs differ by machine."""

    def tick(self, now_ms: int) -> "Sequence[Effect_co | Answer | Refuse]":
        """Performs the work that is due. May be called at any time."""
        ...

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` is due if no other input comes before; None: never.

        It may lie in the past: then `tick` is due at once.
        """
        ...
