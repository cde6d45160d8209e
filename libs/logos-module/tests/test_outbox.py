"""Events that are published by the way: bounded, in order, and nobody waits for them."""

import asyncio

import grpc
import pytest

from logos_module import outbox
from logos_module.outbox import BATCH, MAX_PAYLOAD_BYTES, MAX_WAITING, Outbox, outbox_of


def refusal(text: str) -> grpc.aio.AioRpcError:
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, nothing, nothing, text)


class Kernel:
    """A kernel that may be away, or refuse."""

    def __init__(self) -> None:
        self.is_there = asyncio.Event()
        self.is_there.set()
        self.refuses: set[str] = set()
        self.batches: list[tuple[str, tuple[bytes, ...]]] = []

    async def publish(self, event: str, *payloads: bytes, timeout_s: float | None) -> None:
        assert timeout_s is None, "it is published once, however long that takes"
        await self.is_there.wait()
        if event in self.refuses:
            raise refusal("no more topics")
        self.batches.append((event, payloads))

    @property
    def events(self) -> list[tuple[str, bytes]]:
        return [(event, payload) for event, payloads in self.batches for payload in payloads]


async def test_what_is_put_is_published_in_order_and_together_where_it_can_be() -> None:
    kernel, put = Kernel(), [("a", b"1"), ("a", b"2"), ("b", b"3"), ("a", b"4")]

    async with outbox_of(kernel) as box:
        for one in put:
            box.put(*one)

    assert kernel.events == put
    assert [len(payloads) for _, payloads in kernel.batches] == [2, 1, 1]


async def test_a_batch_is_bounded() -> None:
    kernel = Kernel()

    async with outbox_of(kernel) as box:
        for _ in range(BATCH + 1):
            box.put("a", b"x")

    assert [len(payloads) for _, payloads in kernel.batches] == [BATCH, 1]


async def test_while_the_kernel_is_away_they_wait_and_over_the_bound_are_dropped() -> None:
    kernel = Kernel()
    kernel.is_there.clear()
    async with outbox_of(kernel) as box:
        for number in range(MAX_WAITING + 3):
            box.put("a", str(number).encode())
        await asyncio.sleep(0)
        assert box.dropped == 3

        kernel.is_there.set()
        await box.flush()

    assert [int(payload) for _, payload in kernel.events] == list(range(MAX_WAITING))


async def test_one_that_is_too_large_is_dropped() -> None:
    box = Outbox(Kernel())

    box.put("a", bytes(MAX_PAYLOAD_BYTES + 1))

    assert box.dropped == 1
    await box.flush()


async def test_what_the_kernel_refuses_is_dropped_and_the_rest_goes_on() -> None:
    kernel = Kernel()
    kernel.refuses = {"a"}

    async with outbox_of(kernel) as box:
        box.put("a", b"1")
        box.put("b", b"2")

    assert kernel.events == [("b", b"2")]
    assert box.dropped == 1


async def test_a_module_that_ends_does_not_wait_for_a_kernel_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "FLUSH_S", 0)
    kernel = Kernel()
    kernel.is_there.clear()

    async with outbox_of(kernel) as box:
        box.put("a", b"1")

    assert kernel.events == []
