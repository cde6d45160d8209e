"""What is to be saved: records that a channel's parts have written since the last commit.

Each part writes the record of what it changes, under a key of its own; the channel commits them
together, in one transaction, before anything is sent. A value of None deletes the record.

Spec: docs/protocol/channels.md, CHN-27.
"""

from logos_crypto.protobuf import Fields
from logos_crypto.refusals import ProtobufError
from logos_delivery.core.channels.errors import ChannelStateError

Records = dict[str, bytes]
"""Saved records by key, as a store gives them back."""


class Journal:
    """The records of one input."""

    def __init__(self) -> None:
        self._changes: dict[str, bytes | None] = {}

    def put(self, key: str, value: bytes) -> None:
        """Writes a record."""
        self._changes[key] = value

    def drop(self, key: str) -> None:
        """Deletes a record, whether it is saved or not."""
        self._changes[key] = None

    def take(self) -> dict[str, bytes | None]:
        """Returns what was written and deleted, and empties it."""
        changes, self._changes = self._changes, {}
        return changes


def fields_of(key: str, value: bytes) -> Fields:
    """Reads a saved record; raises `ChannelStateError`."""
    try:
        return Fields(value, max_fields=1024)
    except ProtobufError as error:
        raise ChannelStateError(f"record {key!r} of a channel cannot be read: {error}") from error
