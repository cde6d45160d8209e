"""Light push through the mix-net: one answer of several tries decides (DSN-10)."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from logos_base.errors import LogosError
from logos_delivery.core.errors import LightPeerMissingError, PeerFailedError
from logos_delivery.core.light import light_push as wire
from logos_delivery.core.light.light_push import LightPushResponse, LightPushStatus
from logos_delivery.core.message import Message, encode
from logos_delivery.core.sending.outcomes import PushCode
from logos_delivery.operations.light_push import LightPushClient, MixTries

TOPIC = "/waku/2/rs/66/1"
RAW = encode(Message(b"hello", "/app/1/chat/proto", timestamp_ns=1))
SOON = MixTries(next_s=0.01, timeout_s=30)

Answers = Callable[[bytes], bytes] | LogosError | None
"""What one try brings: an answer to its request, an error, or nothing for ever."""


class FakeMix:
    """`MixRequests` whose tries end as they are told."""

    def __init__(self, tries: Sequence[Answers]) -> None:
        self._tries = list(tries)
        self.asked: list[bytes] = []
        self.given_up = 0

    async def is_off(self) -> bool:
        return False

    async def ask(self, codec: str, content: bytes, *, timeout_s: float) -> tuple[str, bytes]:
        assert codec == wire.PROTOCOL
        self.asked.append(content)
        outcome = self._tries[len(self.asked) - 1]
        if outcome is None:
            try:
                await asyncio.Event().wait()
            finally:
                self.given_up += 1
        if isinstance(outcome, LogosError):
            raise outcome
        assert outcome is not None
        return f"mix {len(self.asked)}", outcome(content)

    async def serve(self, codec: str, answer: Any) -> None:
        raise NotImplementedError


def answered(status: int, peers: int = 1) -> Callable[[bytes], bytes]:
    def answer(raw: bytes) -> bytes:
        request = wire.decode_request(raw)
        assert request.pubsub_topic == TOPIC
        return wire.encode_response(LightPushResponse(request.request_id, status, "text", peers))

    return answer


async def outcome_of(mix: FakeMix, tries: MixTries = SOON) -> tuple[int, str] | None:
    unused: Any = None
    client = LightPushClient(unused, unused, mix, mix_tries=tries)
    async with asyncio.timeout(60):
        return await client.by_mix(TOPIC, RAW)


OK = answered(LightPushStatus.OK)


async def test_an_answer_in_time_needs_no_other_try() -> None:
    mix = FakeMix([OK])

    assert await outcome_of(mix, MixTries(next_s=30)) is None

    assert len(mix.asked) == 1


async def test_without_an_answer_another_mix_gets_the_same_bytes() -> None:
    mix = FakeMix([None, OK])

    assert await outcome_of(mix) is None

    assert len(mix.asked) == 2
    assert len(set(mix.asked)) == 1
    assert mix.given_up == 1


async def test_a_try_that_fails_is_followed_at_once() -> None:
    mix = FakeMix([PeerFailedError("the link is down"), OK])

    assert await outcome_of(mix, MixTries(next_s=30)) is None


async def test_the_answer_to_the_first_try_counts_while_the_second_is_under_way() -> None:
    is_late = asyncio.Event()

    class Slow(FakeMix):
        async def ask(self, codec: str, content: bytes, *, timeout_s: float) -> tuple[str, bytes]:
            if self.asked:
                is_late.set()
            else:
                self.asked.append(content)
                await is_late.wait()
                return "mix 1", OK(content)
            return await super().ask(codec, content, timeout_s=timeout_s)

    mix = Slow([OK, None])

    assert await outcome_of(mix) is None

    assert (len(mix.asked), mix.given_up) == (2, 1)


async def test_a_refusal_is_an_answer() -> None:
    found = await outcome_of(FakeMix([answered(LightPushStatus.INVALID_MESSAGE)]))

    assert found == (PushCode.INVALID_MESSAGE, "text")


async def test_without_any_answer_it_may_have_been_taken() -> None:
    late = PeerFailedError("no answer")
    for mix, tries in (
        (FakeMix([late, late]), SOON),
        (FakeMix([None, None]), MixTries(next_s=0.01, timeout_s=0.05)),
    ):
        found = await outcome_of(mix, tries)
        assert found is not None
        assert found[0] == PushCode.NO_ANSWER
        assert len(mix.asked) == 2


async def test_where_no_mix_is_known_it_was_not_taken() -> None:
    missing = LightPeerMissingError("no mix is known")

    found = await outcome_of(FakeMix([missing, missing]))

    assert found == (PushCode.SERVICE_NOT_AVAILABLE, "no mix is known")
