"""Resolve: where a module is."""

from logos_kernel.core.types import Location
from logos_kernel.operations.kernel import Kernel


def resolve(kernel: Kernel, name: str) -> Location:
    """Says where a READY module is, or raises `UnknownModuleError` or `NotReadyError`."""
    return kernel.registry.resolve(name)
