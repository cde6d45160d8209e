"""Stop: an operator wants a module to stop."""

from logos_kernel.core.views import View
from logos_kernel.operations.kernel import Kernel


async def stop(kernel: Kernel, name: str) -> View:
    """Has a module drain and end; its desired state is durable then (KER-6, KER-10).

    Raises:
        UnknownModuleError: The profile does not have it.
        ExternalRuntimeError: The kernel only observes it.
        HasDependentsError: Running modules require it.
        DiskFullError, StoreFailedError: What is wanted cannot be saved; nothing has changed.
    """
    await kernel.driver.ask(kernel.supervisor.stop, name)
    return kernel.views.one(name)
