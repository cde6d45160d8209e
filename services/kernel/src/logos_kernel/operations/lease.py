"""Lease: a module keeps its registration alive, learns what is new, and leaves."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from logos_base.capabilities import Revocation
from logos_kernel.core.types import Beat
from logos_kernel.operations.kernel import Kernel


async def heartbeat(kernel: Kernel, lease_id: bytes, beat: Beat) -> int:
    """Renews a lease; returns its ttl in milliseconds (KER-4).

    Raises:
        InvalidRegistrationError: The lease or the state cannot be one.
        UnknownLeaseError, StaleEpochError: The lease is over.
    """
    ttl_ms: int = await kernel.driver.ask(kernel.registry.heartbeat, lease_id, beat)
    return ttl_ms


async def wait_stop(kernel: Kernel, lease_id: bytes) -> None:
    """Returns when the holder of a lease shall drain and exit (KER-10)."""
    await kernel.driver.ask(kernel.registry.wait_stop, lease_id)


@dataclass(frozen=True, slots=True)
class News:
    """What a module must know to refuse calls as its kernel would."""

    revocations: list[Revocation]
    """New ones."""
    signing_keys: list[bytes]
    """Ed25519 public keys, 32 bytes each; empty if they are as before."""
    renew: bool
    """What it may call has changed, or the address of another module has (KER-52)."""


async def news(kernel: Kernel, module: str) -> AsyncIterator[News]:
    """Yields what is so now, and then each change, until cancelled."""
    gate, told, keys = kernel.gate, dict[str, Revocation](), list[bytes]()
    decided, moves = gate.access.of_caller(module), gate.authority.moves
    changed = asyncio.Event()
    end = gate.authority.listen(changed.set)
    try:
        while True:
            changed.clear()
            revocations = gate.authority.revocations(module)
            new = [one for name, one in revocations.items() if told.get(name) != one]
            signing_keys = gate.keyring.signing_keys()
            told = revocations
            before, decided = decided, gate.access.of_caller(module)
            is_rotated = signing_keys != keys
            is_changed = decided != before or moves != gate.authority.moves
            moves = gate.authority.moves
            keys = signing_keys
            if new or is_rotated or is_changed:
                yield News(new, keys if is_rotated else [], renew=is_changed)
            await changed.wait()
    finally:
        end()


def session_ended(kernel: Kernel, lease_id: bytes) -> None:
    """Notes that the stream of a lease's heartbeats has ended (KER-3)."""
    kernel.driver.put(kernel.registry.session_ended, lease_id)


async def deregister(kernel: Kernel, lease_id: bytes) -> None:
    """Ends a lease, if there is one (KER-3)."""
    await kernel.driver.ask(kernel.registry.deregister, lease_id)
