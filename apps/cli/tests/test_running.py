"""A signal cancels what a command does, and decides how it ends."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import typer

from logos_cli.exits import explained
from logos_cli.running import InterruptedBySignalError, run_interruptibly


async def stalling(put_away: list[str], *numbers: signal.Signals) -> None:
    """Sends the signals to this process and waits for what they do."""
    try:
        for number in numbers:
            os.kill(os.getpid(), number)
        await asyncio.Event().wait()
    finally:
        put_away.append("put away")


@contextmanager
def handled(number: signal.Signals, handler: Any) -> Iterator[None]:
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def heeded() -> Iterator[None]:
    """Sets signal handlers as a shell does, whatever the test runner has set."""
    with (
        handled(signal.SIGINT, signal.default_int_handler),
        handled(signal.SIGTERM, signal.SIG_DFL),
        handled(signal.SIGHUP, signal.SIG_DFL),
    ):
        yield


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_cancels_and_ends_with_128_and_its_number(
    number: signal.Signals, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    put_away: list[str] = []

    with heeded(), pytest.raises(typer.Exit) as caught, explained():
        run_interruptibly(stalling(put_away, number))

    assert caught.value.exit_code == code
    assert put_away == ["put away"]
    assert capfd.readouterr().err.startswith("error: ")


def test_a_signal_that_was_ignored_stays_ignored() -> None:
    put_away: list[str] = []

    with (
        heeded(),
        handled(signal.SIGHUP, signal.SIG_IGN),
        pytest.raises(InterruptedBySignalError) as caught,
    ):
        run_interruptibly(stalling(put_away, signal.SIGHUP, signal.SIGTERM))

    assert caught.value.number is signal.SIGTERM


def test_handlers_stand_as_before_once_it_has_ended() -> None:
    def own(*_: object) -> None:
        """Stands in for the handler of the calling program."""

    async def done() -> int:
        return 7

    with heeded(), handled(signal.SIGTERM, own):
        assert run_interruptibly(done()) == 7
        assert signal.getsignal(signal.SIGTERM) is own
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_cancellation_of_its_own_is_no_signal() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run_interruptibly(cancelled())
