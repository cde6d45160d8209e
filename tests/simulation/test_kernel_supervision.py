"""Kernels under every fault at once: crashes, lost power, hung processes, full disks, stalls."""

import pytest

from kernel_nodes import MAX_STALL_MS, NAMES, Kernel
from logos_kernel.core.types import Desired, ModuleState
from logos_simulation.faults import now_and_then
from logos_simulation.world import World, seeds

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
    now_and_then(world, (8000, 50_000), TROUBLE_MS, lambda: restart_after("crash"))
    now_and_then(world, (20_000, 90_000), TROUBLE_MS, lambda: restart_after("lose_power"))
    now_and_then(
        world, (9000, 60_000), TROUBLE_MS, lambda: node.stall(chance.between(100, MAX_STALL_MS))
    )


@pytest.mark.parametrize("hundred", range(10))
def test_every_module_comes_back_and_none_runs_twice(hundred: int) -> None:
    for seed in seeds(100):
        world = World(100 * hundred + seed)
        kernel = Kernel(world, "node1")
        world.always(kernel.wrong)
        world.after(0, kernel.node.start)
        troubled(world, kernel)

        world.run(TROUBLE_MS + 10_000)
        for name, wanted in kernel.wanted.items():
            is_kept = wanted in {None, kernel.modules.find(name).desired}
            world.require(is_kept, f"{name}: an acknowledged wish is lost")
        world.after(0, kernel.start_all)
        world.run(CALM_MS)

        states = {module.name: module.state for module in kernel.modules}
        ready = dict.fromkeys(NAMES, ModuleState.READY)
        world.require({**states} == ready, f"not all READY: {states}")
        desired = {module.desired for module in kernel.modules}
        world.require(desired == {Desired.RUNNING}, f"desired: {desired}")
