"""Deregister: a module gives its lease up."""

from logos_kernel.operations.kernel import Kernel


async def deregister(kernel: Kernel, lease_id: bytes) -> None:
    """Ends a lease, if there is one (KER-3)."""
    await kernel.driver.ask(kernel.registry.deregister, lease_id)
