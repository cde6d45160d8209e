"""Operate: an operator starts, stops and restarts modules, and reads their logs.

Each raises `UnknownModuleError` where the profile does not have the module.
"""

from collections.abc import AsyncIterator

from logos_kernel.core.views import View
from logos_kernel.operations.kernel import Kernel


async def start(kernel: Kernel, name: str) -> View:
    """Starts a module and what it requires, and ends their back-offs (KER-5, KER-6).

    Raises:
        DiskFullError, StoreFailedError: The desired states, or the epoch of the start, cannot
            be saved.
    """
    await kernel.driver.ask(kernel.supervisor.start, name)
    return kernel.views.one(name)


async def stop(kernel: Kernel, name: str) -> View:
    """Has a module drain and end; its desired state is durable then (KER-6, KER-10).

    Raises:
        ExternalRuntimeError: The kernel only observes it.
        HasDependentsError: Running modules require it.
        DiskFullError, StoreFailedError: The desired state cannot be saved; nothing has changed.
    """
    await kernel.driver.ask(kernel.supervisor.stop, name)
    return kernel.views.one(name)


async def restart(kernel: Kernel, name: str) -> View:
    """Replaces the process of a module; those that require it stay (KER-5).

    Raises:
        ExternalRuntimeError: The kernel only observes it.
        DiskFullError, StoreFailedError: As for `start`.
    """
    await kernel.driver.ask(kernel.supervisor.restart, name)
    return kernel.views.one(name)


def logs(kernel: Kernel, name: str, *, tail: int, follow: bool) -> AsyncIterator[bytes]:
    """Streams the log of a module, oldest line first (KER-12).

    Raises:
        ExternalRuntimeError: The engine that runs the module holds its log.
    """
    kernel.views.one(name)
    return kernel.runtime.lines(name, tail=tail, follow=follow)
