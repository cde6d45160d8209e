"""Operate: an operator starts, stops and restarts modules, and reads their logs.

Each raises `UnknownModuleError` where the profile does not have the module.
"""

from collections.abc import AsyncIterator, Callable

from logos_base.capabilities import Subject
from logos_base.errors import LogosError
from logos_kernel.core.audit import actor_of
from logos_kernel.core.effects import Effects
from logos_kernel.core.views import View
from logos_kernel.operations.kernel import Kernel


async def start(kernel: Kernel, by: Subject, name: str) -> View:
    """Starts a module and what it requires or wants; ends their back-offs (KER-5, KER-6).

    Raises:
        DiskFullError, StoreFailedError: The desired states, or the epoch of the start, cannot
            be saved.
    """
    await _operate(kernel, by, kernel.supervisor.start, name)
    return kernel.views.one(name)


async def stop(kernel: Kernel, by: Subject, name: str, *, is_cascade: bool = False) -> View:
    """Has a module drain and end; its desired state is durable then (KER-6, KER-10).

    `is_cascade`: those that need it end before it, and stay stopped, too.

    Raises:
        ExternalRuntimeError: The kernel only observes it.
        HasDependentsError: Running modules require it, and it is no cascade.
        DiskFullError, StoreFailedError: The desired state cannot be saved; nothing has changed.
    """
    step = kernel.supervisor.stop_all if is_cascade else kernel.supervisor.stop
    await _operate(kernel, by, step, name)
    return kernel.views.one(name)


async def restart(kernel: Kernel, by: Subject, name: str) -> View:
    """Replaces the process of a module; those that require it stay (KER-5).

    Raises:
        ExternalRuntimeError: The kernel only observes it.
        DiskFullError, StoreFailedError: As for `start`.
    """
    await _operate(kernel, by, kernel.supervisor.restart, name)
    return kernel.views.one(name)


async def kill(kernel: Kernel, by: Subject, name: str) -> View:
    """Kills the process of a module at once; what follows is as after a crash (KER-45).

    Raises:
        ExternalRuntimeError: The kernel only observes it.
        NoProcessError: It has no process.
    """
    await _operate(kernel, by, kernel.supervisor.kill, name)
    return kernel.views.one(name)


async def reset_failed(kernel: Kernel, by: Subject, name: str) -> View:
    """Forgets the failures of a module, and starts it if it is FAILED (KER-5).

    Raises:
        ExternalRuntimeError: The kernel only observes it.
        DiskFullError, StoreFailedError: The epoch of the start cannot be saved.
    """
    await _operate(kernel, by, kernel.supervisor.reset_failed, name)
    return kernel.views.one(name)


def logs(
    kernel: Kernel, name: str, *, tail: int, follow: bool, since_ms: int | None = None
) -> AsyncIterator[bytes]:
    """Streams the log of a module, oldest line first (KER-12).

    `since_ms`: only lines from that time on, in milliseconds since 1970 UTC (KER-42).

    Raises:
        ExternalRuntimeError: The engine that runs the module holds its log.
    """
    kernel.views.one(name)
    return kernel.runtime.lines(name, tail=tail, follow=follow, since_ms=since_ms)


async def _operate(kernel: Kernel, by: Subject, step: Callable[..., Effects], name: str) -> None:
    """Asks the supervisor, and notes in the audit log who did and what came of it."""
    actor, action = actor_of(by), f"module.{step.__name__}"
    try:
        await kernel.driver.ask(step, name)
    except LogosError as error:
        kernel.audit.refuse(actor, action, name, error)
        raise
    kernel.audit.note(actor, action, name)
