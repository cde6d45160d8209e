"""The errors of the guestbook. The harness turns them into statuses with a reason."""

from logos_base.errors import ErrorKind, LogosError


class TextInvalidError(LogosError):
    """A text is empty, or too large."""

    kind = ErrorKind.INVALID_ARGUMENT
    reason = "TEXT_INVALID"


class EntryUnknownError(LogosError):
    """The book has no such entry."""

    kind = ErrorKind.NOT_FOUND
    reason = "ENTRY_UNKNOWN"


class BookFullError(LogosError):
    """The book takes no more entries."""

    kind = ErrorKind.RESOURCE_EXHAUSTED
    reason = "BOOK_FULL"


class NeighbourAwayError(LogosError):
    """A module that this one calls does not answer now."""

    kind = ErrorKind.UNAVAILABLE
    reason = "NEIGHBOUR_AWAY"
    retry_after_ms = 500
