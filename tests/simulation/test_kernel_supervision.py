"""Kernels under every fault at once: crashes, lost power, hung processes, full disks, stalls."""

import os
from typing import Final

import pytest

from kernel_nodes import MAX_STALL_MS, NAMES, Kernel
from logos_kernel.core.types import Desired, ModuleState
from logos_simulation.faults import now_and_then
from logos_simulation.world import SEED_VARIABLE, World, seeds

pytestmark = pytest.mark.simulation

TROUBLE_MS = 120_000
CALM_MS = 400_000


def troubled(world: World, kernel: Kernel) -> None:
    """Faults of every kind for two minutes."""
    chance, node = world.chance, kernel.node

    def restart_after(fault: str) -> None:
        if node.is_up:
            getattr(kernel, fault)()
            world.after(chance.between(50, 8000), node.start)

    now_and_then(world, (1000, 12_000), TROUBLE_MS, kernel.hurt_a_process)
    now_and_then(world, (3000, 30_000), TROUBLE_MS, kernel.operate)
    now_and_then(world, (5000, 40_000), TROUBLE_MS, kernel.upgrade)
    now_and_then(world, (10_000, 60_000), TROUBLE_MS, kernel.load)
    now_and_then(world, (10_000, 60_000), TROUBLE_MS, kernel.change_settings)
    now_and_then(world, (20_000, 90_000), TROUBLE_MS, lambda: kernel.jump(chance.between(10, 4000)))
    now_and_then(world, (8000, 50_000), TROUBLE_MS, lambda: restart_after("crash"))
    now_and_then(world, (20_000, 90_000), TROUBLE_MS, lambda: restart_after("lose_power"))
    now_and_then(
        world, (9000, 60_000), TROUBLE_MS, lambda: kernel.stall(chance.between(100, MAX_STALL_MS))
    )


PARTS: Final = 10
HISTORIES: Final = int(os.environ.get("LOGOS_KERNEL_HISTORIES", "2000"))
"""In all; 2,000 take about a minute of one core."""


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.timeout(0)
def test_every_module_comes_back_and_none_runs_twice(part: int) -> None:
    """Crashes, upgrades, loads, settings, kernels and clocks: acceptance 2 of the kernel."""
    each = -(-HISTORIES // PARTS)
    for seed in seeds(each):
        world = World(seed if SEED_VARIABLE in os.environ else each * part + seed)
        kernel = Kernel(world, "node1")
        world.always(kernel.wrong)
        world.after(0, kernel.node.start)
        troubled(world, kernel)

        world.run(TROUBLE_MS + 10_000)
        for name, wanted in kernel.wanted.items():
            is_kept = wanted in {None, kernel.modules.find(name).desired}
            world.require(is_kept, f"{name}: an acknowledged wish is lost")
        kernel.calm_down()
        world.after(0, kernel.start_all)
        world.run(CALM_MS)

        states = {one.name: one.state for one in kernel.modules if one.name in NAMES}
        ready = dict.fromkeys(NAMES, ModuleState.READY)
        world.require({**states} == ready, f"not all READY: {states}")
        for module in kernel.modules:
            is_over = module.upgrade is None or module.upgrade.is_over
            world.require(is_over, f"{module.name}: its upgrade never ended")
            # of one that hangs, a kernel killed between its start and its note knows nothing
            alive = [
                one
                for one in kernel.processes
                if one.name == module.name and one.is_alive and (one.is_watched or not one.is_hung)
            ]
            own = [one for one in alive if one.process == module.process]
            world.require(alive == own, f"{module.name}: a process is leaked")
        desired = {one.desired for one in kernel.modules if one.name in NAMES}
        world.require(desired == {Desired.RUNNING}, f"desired: {desired}")
