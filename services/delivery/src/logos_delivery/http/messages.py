"""Messages as JSON (DHT-6)."""

import base64
from typing import Any, Final

from logos_delivery.core.errors import MetaTooLongError
from logos_delivery.core.message import MAX_META_BYTES, Message
from logos_delivery.http.answers import Refused
from logos_delivery.http.reading import fields, filled_text, flag, number, text, unbase64

_KNOWN: Final = frozenset(
    {"payload", "contentTopic", "version", "timestamp", "meta", "ephemeral", "proof"}
)


class Written:
    """A message as it was written: its fields are of the right types, its base64 is not read."""

    def __init__(self, value: Any) -> None:
        """Raises UnreadableError."""
        found = fields(value, _KNOWN)
        self._payload = filled_text(found, "payload")
        self._content_topic = filled_text(found, "contentTopic")
        self._version = number(found.get("version", 0), "version", is_signed=False)
        self._timestamp = number(found.get("timestamp", 0), "timestamp", is_signed=True)
        self._meta = text(found.get("meta", ""), "meta")
        self._ephemeral = flag(found.get("ephemeral", False), "ephemeral")
        self._proof = text(found.get("proof", ""), "proof")

    def message(self, before: str = "") -> Message:
        """Reads the base64; refuses what is none. `before` goes before the reason."""
        try:
            return Message(
                payload=unbase64(self._payload),
                content_topic=self._content_topic,
                version=self._version,
                timestamp_ns=self._timestamp,
                meta=unbase64(self._meta),
                proof=unbase64(self._proof),
                is_ephemeral=self._ephemeral,
            )
        except MetaTooLongError as error:
            raise Refused(f"{before}{too_long_meta(error)}") from error
        except ValueError as error:
            raise Refused(f"{before}{error}") from error


def too_long_meta(error: MetaTooLongError) -> str:
    """Says it as the reference names the failure."""
    return f'(kind: InvalidLengthField, field: "meta"): {error}; at most {MAX_META_BYTES}'


def base64_of(raw: bytes) -> str:
    """Writes base64 with its padding."""
    return base64.b64encode(raw).decode("ascii")


def written(message: Message, *, proof: bool) -> dict[str, Any]:
    """Writes a message that was relayed, or without its proof one that was pushed."""
    found: dict[str, Any] = {
        "payload": base64_of(message.payload),
        "contentTopic": message.content_topic,
        "version": message.version,
        "timestamp": message.timestamp_ns,
    }
    if message.meta:
        found["meta"] = base64_of(message.meta)
    found["ephemeral"] = message.is_ephemeral
    if proof:
        found["proof"] = base64_of(message.proof)
    return found


def kept(message: Message) -> dict[str, Any]:
    """Writes a message of an archive: with a proof only if it has one."""
    return written(message, proof=bool(message.proof))


def hash_text(digest: bytes) -> str:
    """Writes the hash of a message: `0x` and 64 digits."""
    return f"0x{digest.hex()}"
