"""Start: an operator wants a module to run."""

from logos_kernel.core.views import View
from logos_kernel.operations.kernel import Kernel


async def start(kernel: Kernel, name: str) -> View:
    """Starts a module and what it requires, and ends their back-offs (KER-5, KER-6).

    Raises:
        UnknownModuleError: The profile does not have it.
        DiskFullError, StoreFailedError: What is wanted, or the epoch of the start, cannot be saved.
    """
    await kernel.driver.ask(kernel.supervisor.start, name)
    return kernel.views.one(name)
