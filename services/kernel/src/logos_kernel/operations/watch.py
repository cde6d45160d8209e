"""Watch: the transitions of a node, each once (KER-19)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from logos_kernel.core.journal import Transition
from logos_kernel.core.types import ModuleState
from logos_kernel.operations.kernel import Kernel


@dataclass(frozen=True, slots=True)
class ModuleAt:
    """Where a module was at a revision."""

    module: str
    state: ModuleState
    epoch: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All modules at a revision."""

    revision: int
    modules: tuple[ModuleAt, ...]


async def watch(kernel: Kernel, from_revision: int) -> AsyncIterator[Snapshot | Transition]:
    """Streams transitions from a revision on, and waits for more.

    Args:
        from_revision: The first revision; 0: a snapshot comes first, and what follows it.

    Raises:
        HistoryCompactedError: They are no longer all kept, or the caller reads too slowly.
        UnknownRevisionError: The node has not come to that revision.
    """
    journal, following = kernel.views.modules.journal, from_revision
    if not from_revision:
        snapshot = _snapshot(kernel)
        following = snapshot.revision + 1
        yield snapshot
    while True:
        published = kernel.published()
        transitions = journal.since(following)
        for transition in transitions:
            yield transition
        following += len(transitions)
        if not transitions:
            await published.wait()


def _snapshot(kernel: Kernel) -> Snapshot:
    modules = kernel.views.modules
    latest = {module.name: modules.journal.latest(module.name) for module in modules}
    return Snapshot(
        modules.journal.revision,
        tuple(
            ModuleAt(name, ModuleState.STOPPED, 0)
            if one is None
            else ModuleAt(name, one.new, one.epoch)
            for name, one in latest.items()
        ),
    )
