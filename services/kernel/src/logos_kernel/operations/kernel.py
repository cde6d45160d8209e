"""The running kernel."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from logos_kernel.core.effects import Effect
from logos_kernel.core.ports import Probe, Runtime
from logos_kernel.core.registry import Registry
from logos_kernel.core.supervisor import Supervisor
from logos_kernel.core.types import KernelInfo, Usage
from logos_kernel.core.views import Views
from logos_kernel.operations.audit import Audit
from logos_kernel.operations.decisions import Decisions
from logos_kernel.operations.events import Events
from logos_kernel.operations.gate import Gate
from logos_module.driver import Driver

if TYPE_CHECKING:
    from logos_kernel.operations.settings import Settings  # which works with a Kernel itself


@dataclass(frozen=True, slots=True)
class Kernel:
    """What operations work with. The `driver` runs the inputs of `supervisor` and `registry`."""

    identity: KernelInfo
    driver: Driver[Effect]
    supervisor: Supervisor
    registry: Registry
    views: Views
    runtime: Runtime
    probe: Probe
    gate: Gate
    decisions: Decisions
    audit: Audit
    changes_nothing: Callable[[str], bool]
    """Whether `package.Service/Method` has no side effects."""
    published: Callable[[], asyncio.Event]
    """Returns what is set when there are new transitions (KER-19)."""
    settings: "Settings"
    wall_ms: Callable[[], int]
    """Milliseconds since 1970 UTC."""
    own_usage: Callable[[], Usage | None]
    """Returns what this process uses."""
    events: Events
