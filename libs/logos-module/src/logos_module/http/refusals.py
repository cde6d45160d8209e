"""What a request is refused with before a route has decided anything."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not served."""

    status: int
    """Of HTTP."""
    reason: str
    """UPPER_SNAKE. Stable."""
    text: str
    """For people."""


class RequestRefusedError(Exception):
    """Ends the reading of a request."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal
