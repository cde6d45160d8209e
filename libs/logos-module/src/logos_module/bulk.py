"""Content in messages, without protobuf objects around it.

A stream of content is a stream of messages with one `bytes` field each. Building and reading
such a message with its generated class copies the bytes five times; here they are joined once
and read in place. The bytes on the wire are the same, so the peer is not affected.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from logos_crypto import varint

Piece = bytes | memoryview

_LENGTH_DELIMITED: Final = 2


class BulkField:
    """The `bytes` field that holds the content in messages of a type.

    Serialises a message, or pieces of content for the field. Reads a view of the content if
    the message has no other field, and a message otherwise.
    """

    def __init__(self, message_type: type[Message], name: str = "data") -> None:
        field = message_type.DESCRIPTOR.fields_by_name[name]
        if field.type != field.TYPE_BYTES or field.containing_oneof is None:
            raise ValueError(f"{name} must be a bytes field of a oneof")
        self._message_type = message_type
        self._tag = varint.encode(field.number << 3 | _LENGTH_DELIMITED)

    def serialize(self, content: Message | Sequence[Piece]) -> bytes:
        """Writes a message, or one whose content is the joined pieces."""
        if isinstance(content, Message):
            return content.SerializeToString()
        size = sum(len(piece) for piece in content)
        return b"".join((self._tag, varint.encode(size), *content))

    def deserialize(self, raw: bytes) -> Message | memoryview:
        """Reads a message; returns a view of the content if there is no other field.

        Raises:
            DecodeError: It is not a message of the type.
        """
        if raw.startswith(self._tag):
            try:
                size, start = varint.decode(raw, len(self._tag), minimal=False)
            except ValueError:
                size, start = 0, 0  # the generated class raises the error
            if start and start + size == len(raw):
                return memoryview(raw)[start:]
        return self._message_type.FromString(raw)


@dataclass(frozen=True, slots=True)
class BulkMethod:
    """The content fields of a method's messages."""

    request: BulkField | None = None
    response: BulkField | None = None

    def applied_to(self, handler: Any) -> Any:
        """Returns a server's handler that reads and writes content by `BulkField`."""
        changes: dict[str, Any] = {}
        if self.request is not None:
            changes["request_deserializer"] = self.request.deserialize
        if self.response is not None:
            changes["response_serializer"] = self.response.serialize
        return handler._replace(**changes)

    def serializers(self) -> Mapping[str, Any]:
        """Returns the arguments for a channel's multicallable."""
        arguments: dict[str, Any] = {}
        if self.request is not None:
            arguments["request_serializer"] = self.request.serialize
        if self.response is not None:
            arguments["response_deserializer"] = self.response.deserialize
        return arguments
