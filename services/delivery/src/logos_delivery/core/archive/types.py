"""A kept message, a query for such, and a page of them.

Spec: docs/protocol/delivery-store.md, DST-4 to DST-8.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from logos_delivery.core.archive.errors import StoreQueryInvalidError
from logos_delivery.core.message import HASH_BYTES, Message, message_hash

DEFAULT_PAGE: Final = 20
MAX_PAGE: Final = 100
PAGE_BYTES: Final = 4 * 1024 * 1024
"""Of the messages of a page, unless its first is larger."""
MAX_CONTENT_TOPICS: Final = 10
MAX_HASHES: Final = 100

ROW_BYTES: Final = 400
"""What a message takes on disk beside its own bytes: columns of fixed size, and indexes."""


class Position(NamedTuple):
    """Where a message stands in the archive; positions compare as messages are ordered."""

    timestamp_ns: int
    hash: bytes
    """32 bytes, or none: before all messages of that time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A kept message. In the answer to a query for hashes alone it has no message."""

    hash: bytes
    """32 bytes (DEL-3)."""
    pubsub_topic: str = ""
    message: Message | None = None

    @classmethod
    def of(cls, pubsub_topic: str, message: Message) -> Self:
        """Returns a message with its hash."""
        return cls(message_hash(pubsub_topic, message), pubsub_topic, message)

    @property
    def kept(self) -> Message:
        """The message; raises ValueError if there is only its hash."""
        if self.message is None:
            raise ValueError("an entry of which only the hash is known")
        return self.message

    @property
    def position(self) -> Position:
        """Where the message stands."""
        return Position(self.kept.timestamp_ns, self.hash)

    @property
    def size_bytes(self) -> int:
        """What the message takes on disk, nearly."""
        one = self.kept
        topics = len(self.pubsub_topic.encode()) * 3 + len(one.content_topic.encode()) * 2
        return len(one.payload) + len(one.meta) + len(one.proof) + topics + ROW_BYTES


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of an archive. A message must meet every criterion that is given."""

    pubsub_topic: str | None = None
    content_topics: tuple[str, ...] = ()
    """Any of these."""
    start_ns: int | None = None
    """Not older (DST-5)."""
    end_ns: int | None = None
    """Not newer (DST-5)."""
    hashes: tuple[bytes, ...] = ()
    """Any of these, 32 bytes each."""
    include_data: bool = False
    cursor: bytes | None = None
    """Hash of the message after which the page begins."""
    is_forward: bool = True
    """Whether the page begins with the oldest."""
    limit: int | None = None
    """None or 0: 20; at most 100."""

    @property
    def page_size(self) -> int:
        """How many messages a page has at most."""
        return min(self.limit or DEFAULT_PAGE, MAX_PAGE)

    def check(self) -> None:
        """Raises `StoreQueryInvalidError` if the query breaks a rule of DST-4."""
        if len(self.content_topics) > MAX_CONTENT_TOPICS:
            raise StoreQueryInvalidError("too many content topics", field="content_topics")
        if len(self.hashes) > MAX_HASHES:
            raise StoreQueryInvalidError("too many message hashes", field="message_hashes")
        for one in self.hashes:
            if len(one) != HASH_BYTES:
                raise StoreQueryInvalidError(
                    f"invalid hash length: {len(one)}", field="message_hashes"
                )
        has_filter = self.content_topics or self.start_ns is not None or self.end_ns is not None
        if self.hashes and has_filter:
            raise StoreQueryInvalidError(
                "message hashes stand beside content topics or times: ask for one or the other",
                field="message_hashes",
            )
        self._check_cursor()

    def _check_cursor(self) -> None:
        if self.cursor is None:
            return
        if len(self.cursor) != HASH_BYTES:
            raise StoreQueryInvalidError(
                f"invalid cursor hash length: {len(self.cursor)}", field="pagination_cursor"
            )
        if not any(self.cursor):
            raise StoreQueryInvalidError("all zeroes cursor hash", field="pagination_cursor")


@dataclass(frozen=True, slots=True)
class Page:
    """The answer of an archive."""

    entries: tuple[Entry, ...] = ()
    """By position, oldest first, whichever way the archive was read (DST-6)."""
    cursor: bytes | None = None
    """With which the next page is asked for; None: there is none."""


def page_of(found: list[Entry], limit: int, *, is_forward: bool, is_cut: bool = False) -> Page:
    """Makes a page of what was found in the order in which the archive was read (DST-6).

    Args:
        found: Up to one more than the limit.
        limit: Of entries in the page.
        is_forward: Whether the oldest stand first.
        is_cut: Whether there are more than were given.
    """
    taken = found[:limit]
    has_more = is_cut or len(found) > limit
    cursor = taken[-1].hash if taken and has_more else None
    return Page(tuple(taken if is_forward else reversed(taken)), cursor)


def cut(sizes: list[int]) -> int:
    """Returns how many messages of these sizes a page takes, one at least (DST-8)."""
    total = 0
    for count, size in enumerate(sizes):
        total += size
        if count and total > PAGE_BYTES:
            return count
    return len(sizes)
