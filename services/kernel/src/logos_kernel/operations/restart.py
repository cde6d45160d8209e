"""Restart: an operator wants a new process of a module."""

from logos_kernel.core.views import View
from logos_kernel.operations.kernel import Kernel


async def restart(kernel: Kernel, name: str) -> View:
    """Replaces the process of a module; those that require it stay (KER-5).

    Raises:
        UnknownModuleError: The profile does not have it.
        ExternalRuntimeError: The kernel only observes it.
        DiskFullError, StoreFailedError: What is wanted, or the epoch of the start, cannot be saved.
    """
    await kernel.driver.ask(kernel.supervisor.restart, name)
    return kernel.views.one(name)
