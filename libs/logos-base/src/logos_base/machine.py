"""The shape of every protocol machine (docs/adr/0017).

A machine is an object without sockets, clock or randomness of its own. Each **input** is
a method that takes the time last, in milliseconds, and returns the **effects** that follow,
in order: `opened(peer, now_ms) -> list[Effect]`. Whatever the machine decides leaves it as
an effect, and what becomes of an effect comes back as another input. `tick` is the input for
time alone, and `next_wake_ms` says when it is due.

An input whose outcome a caller waits for is a **question**: it takes a ticket first, and is
answered by an `Answer` or a `Refuse` with that ticket, at once or after any number of other
inputs. What a question raises refuses it with nothing changed.

`logos_module.driver` runs machines on an event loop, `logos_simulation` on virtual time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType, Protocol, TypeVar

Ticket = NewType("Ticket", int)
"""Names a question. Never used again."""

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
    """What a driver needs to know of a machine; its other inputs are its own."""

    def tick(self, now_ms: int) -> "Sequence[Effect_co | Answer | Refuse]":
        """Does what is due. May be called at any time."""
        ...

    def next_wake_ms(self) -> int | None:
        """Returns when `tick` has something to do if nothing happens before; None: never.

        It may lie in the past: then `tick` is due at once.
        """
        ...
