"""Exits: how the processes of a module ended (KER-20)."""

from logos_kernel.core.journal import PastExit
from logos_kernel.operations.kernel import Kernel


def exits(kernel: Kernel, name: str) -> list[PastExit]:
    """Returns the last exits of a module, newest first; raises `UnknownModuleError`."""
    kernel.views.modules.find(name)
    return kernel.views.modules.journal.exits(name)
