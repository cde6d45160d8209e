"""Participants of a reliable channel, and what they say."""

from collections.abc import Iterable
from typing import Any

from logos_delivery.core.channels.journal import Journal
from logos_delivery.core.channels.repair import Times
from logos_delivery.core.channels.sds import Sds
from logos_delivery.core.channels.sds_message import SdsMessage, decode, encode
from logos_delivery.core.channels.sds_types import Deliver, Effect, SdsConfig, Transmit

T0 = 1_760_000_000_000
TIMES = Times()


class Party:
    """One participant, with the wire in the test's hands."""

    def __init__(self, name: str, *, now_ms: int = T0, **settings: Any) -> None:
        settings.setdefault("sync_ms", 0)
        self.name = name
        self.journal = Journal()
        self.sds = Sds(SdsConfig("channel", name, **settings), self.journal, now_ms)
        self.now_ms = now_ms

    def send(self, content: bytes) -> bytes:
        self.now_ms += 1
        return self.sds.send(content, "request", 1, self.now_ms).raw

    def get(self, *raws: bytes, hint: bytes = b"") -> list[Effect]:
        self.now_ms += 1
        return [effect for raw in raws for effect in self.sds.receive(raw, hint, self.now_ms)]

    def until(self, now_ms: int) -> list[Effect]:
        """Obeys its wakes up to a time."""
        effects: list[Effect] = []
        for _ in range(10_000):
            wake_ms = self.sds.next_wake_ms()
            if wake_ms is None or wake_ms > now_ms:
                self.now_ms = now_ms
                return effects
            self.now_ms = max(self.now_ms, wake_ms)
            effects += self.sds.tick(self.now_ms)
        raise AssertionError("time stands still")

    def wait(self, ms: int) -> list[Effect]:
        return self.until(self.now_ms + ms)


def contents(effects: Iterable[Effect]) -> list[bytes]:
    return [effect.message.content for effect in effects if isinstance(effect, Deliver)]


def sent(effects: Iterable[Effect]) -> list[SdsMessage]:
    return [decode(effect.raw) for effect in effects if isinstance(effect, Transmit)]


def syncs(effects: Iterable[Effect]) -> list[bytes]:
    return [encode(each) for each in sent(effects) if not each.content]


def made(name: str, **changes: Any) -> bytes:
    fields = {"lamport": T0, "content": name.encode(), **changes}
    return encode(SdsMessage("peer", name, "channel", **fields))
