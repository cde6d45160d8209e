"""The threads of rate limits: the event loop does nothing longer than a millisecond (RLN-32)."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar, TypeVarTuple

from logos_crypto import rln

NICE: Final = 10
"""Of the threads that prepare. The native core's own are started by the first that needs them,
and are as nice: so packets are forwarded while proofs are prepared."""

Given = TypeVarTuple("Given")
Result = TypeVar("Result")


class RlnThreads:
    """One thread for each kind of work: none waits for the others."""

    def __init__(self) -> None:
        """Starts no thread."""
        self._patient = ThreadPoolExecutor(1, "rln-prepare", initializer=_be_nice)
        self._urgent = ThreadPoolExecutor(1, "rln-prove")
        self._verifying = ThreadPoolExecutor(1, "rln-verify")

    def load_keys(self) -> None:
        """Begins to read the circuit's keys, which takes a tenth of a second."""
        self._patient.submit(rln.load_keys)

    def patiently(self, work: Callable[[*Given], Result], *given: *Given) -> asyncio.Future[Result]:
        """Does what may wait."""
        return _begun(self._patient, partial(work, *given))

    def urgently(self, work: Callable[[*Given], Result], *given: *Given) -> asyncio.Future[Result]:
        """Does what a packet waits for."""
        return _begun(self._urgent, partial(work, *given))

    def verify(self, work: Callable[[*Given], Result], *given: *Given) -> asyncio.Future[Result]:
        """Does what packets that came wait for."""
        return _begun(self._verifying, partial(work, *given))

    def close(self) -> None:
        """Lets the threads end after what they are doing."""
        for each in (self._patient, self._urgent, self._verifying):
            each.shutdown(wait=False, cancel_futures=True)


def _begun(threads: ThreadPoolExecutor, work: Callable[[], Result]) -> asyncio.Future[Result]:
    return asyncio.get_running_loop().run_in_executor(threads, work)


def _be_nice() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
