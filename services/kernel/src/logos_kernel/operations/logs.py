"""Logs: what a module has written."""

from collections.abc import AsyncIterator

from logos_kernel.operations.kernel import Kernel


def logs(kernel: Kernel, name: str, *, tail: int, follow: bool) -> AsyncIterator[bytes]:
    """Streams the log of a module, oldest line first (KER-12).

    Raises:
        UnknownModuleError: The profile does not have it.
        ExternalRuntimeError: The engine that runs the module holds its log.
    """
    kernel.views.one(name)
    return kernel.runtime.lines(name, tail=tail, follow=follow)
