"""Lease: a module keeps its registration alive, learns that it shall stop, and leaves."""

from logos_kernel.core.types import ModuleState
from logos_kernel.operations.kernel import Kernel


async def heartbeat(kernel: Kernel, lease_id: bytes, said: ModuleState, status_text: str) -> int:
    """Renews a lease; returns its ttl in milliseconds (KER-4).

    Raises:
        InvalidRegistrationError: The lease or the state cannot be one.
        UnknownLeaseError, StaleEpochError: The lease is over.
    """
    ttl_ms: int = await kernel.driver.ask(kernel.registry.heartbeat, lease_id, said, status_text)
    return ttl_ms


async def wait_stop(kernel: Kernel, lease_id: bytes) -> None:
    """Returns when the holder of a lease shall drain and exit (KER-10)."""
    await kernel.driver.ask(kernel.registry.wait_stop, lease_id)


def session_ended(kernel: Kernel, lease_id: bytes) -> None:
    """Notes that the stream of a lease's heartbeats has ended (KER-3)."""
    kernel.driver.put(kernel.registry.session_ended, lease_id)


async def deregister(kernel: Kernel, lease_id: bytes) -> None:
    """Ends a lease, if there is one (KER-3)."""
    await kernel.driver.ask(kernel.registry.deregister, lease_id)
