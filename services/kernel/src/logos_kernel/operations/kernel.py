"""The running kernel."""

from dataclasses import dataclass

from logos_kernel.core.effects import Effect
from logos_kernel.core.ports import Probe, Runtime
from logos_kernel.core.registry import Registry
from logos_kernel.core.supervisor import Supervisor
from logos_kernel.core.types import Identity
from logos_kernel.core.views import Views
from logos_module.driver import Driver


@dataclass(frozen=True, slots=True)
class Kernel:
    """What operations work with. The `driver` runs the inputs of `supervisor` and `registry`."""

    identity: Identity
    driver: Driver[Effect]
    supervisor: Supervisor
    registry: Registry
    views: Views
    runtime: Runtime
    probe: Probe
