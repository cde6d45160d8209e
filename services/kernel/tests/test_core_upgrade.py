"""KER-48: the machine of an upgrade, its whole table, and what it does to modules."""

from collections.abc import Mapping
from contextlib import suppress
from itertools import product
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from kernel_chaos import Chaos, names
from kernel_world import World, next_ticket

from logos_base.errors import DiskFullError
from logos_base.versions import parse_range
from logos_kernel.core.beside import HANDOVER_MS
from logos_kernel.core.effects import Promote, Save
from logos_kernel.core.errors import (
    DependencyCycleError,
    ExternalRuntimeError,
    OperationNotFoundError,
    StaleEpochError,
    UnknownModuleError,
    UnknownVersionError,
    UpgradeRefusedError,
    UpgradeUnderWayError,
)
from logos_kernel.core.types import Beat, ModuleState, Runtime
from logos_kernel.core.upgrade import FINAL, WAYS, Event, IllegalUpgradeError, Phase, Upgrade

ALONE: dict[str, list[str]] = {"echo": []}
PAIR = {"front": ["echo"], "echo": []}


def world(requires: dict[str, list[str]] | None = None, **more: Any) -> World:
    """Returns a node on which all is READY, with versions 0.2.0 and 0.3.0 installed."""
    made = World(requires or ALONE, installed=["0.2.0", "0.3.0"], **more)
    for _ in requires or ALONE:
        for module in list(made.modules):
            if module.state is ModuleState.STARTING:
                made.ready(module.name)
    return made


def upgrade(world: World, name: str = "echo", version: str = "0.2.0") -> Upgrade:
    """Asks for an upgrade."""
    made: Upgrade = world.ask(world.supervisor.upgrade, "0" * 32, name, version)
    return made


def last(world: World, name: str = "echo") -> Upgrade:
    """Returns the last upgrade of a module."""
    found = world[name].upgrade
    assert found is not None
    return found


class TestTable:
    @pytest.mark.parametrize(("phase", "event"), [*product(Phase, Event)])
    def test_every_event_in_every_phase(self, phase: Phase, event: Event) -> None:
        one = Upgrade("0" * 32, "echo", "", "0.2.0", phase, 1)
        if (phase, event) not in WAYS:
            with pytest.raises(IllegalUpgradeError):
                one.step(event, "why", 2)
            return
        after = one.step(event, "why", 2)
        assert after.phase is WAYS[phase, event]
        assert (after.why, after.ended_ms) == (("why", 2) if after.is_over else ("", 0))

    def test_every_phase_leads_to_an_end_and_none_leads_away_from_it(self) -> None:
        assert {phase for phase, _ in WAYS} == set(Phase) - FINAL
        for phase in set(Phase) - FINAL:
            assert WAYS[phase, Event.FAILED] is Phase.ROLLED_BACK


class TestBeside:
    def test_the_old_version_serves_until_the_new_one_is_ready(self) -> None:
        node = world()
        old = node.lives("echo")
        assert upgrade(node).phase is Phase.BESIDE
        assert len(node.alive) == 2
        node.register_successor("echo")
        assert node.lives("echo") == old
        node.say_beside("echo")
        assert last(node).phase is Phase.PROMOTED
        assert node["echo"].version == "0.2.0"
        assert node["echo"].state is ModuleState.READY
        assert node["echo"].epoch == 2
        assert old in node.alive, "it serves those that have not learnt of it"

    def test_the_old_version_is_asked_to_end_after_the_handover(self) -> None:
        node = world()
        upgrade(node)
        node.register_successor("echo")
        node.say_beside("echo")
        node.advance(HANDOVER_MS - 1, beating=True)
        assert node.terminated == []
        node.advance(1, beating=True)
        assert node.terminated == ["echo"]
        node.advance(20_000, beating=True)
        assert len(node.alive) == 1
        assert node["echo"].beside is None
        assert node.saved["echo"].beside is None

    def test_what_is_promoted_is_durable_before_anybody_is_told(self) -> None:
        node = world()
        upgrade(node)
        node.register_successor("echo")
        node.fates = [True]
        node.say_beside("echo")
        assert node["echo"].epoch == 1
        assert last(node).phase is Phase.BESIDE
        node.say_beside("echo")
        assert node["echo"].epoch == 2

    def test_an_upgrade_that_cannot_be_saved_is_refused(self) -> None:
        node = world()
        node.fates = [True]
        with pytest.raises(DiskFullError):
            upgrade(node)
        assert node["echo"].upgrade is None
        assert len(node.alive) == 1

    @pytest.mark.parametrize("how", ["exits", "is late", "leaves", "is cancelled", "old exits"])
    def test_it_is_rolled_back(self, how: str) -> None:
        node = world()
        upgrade(node)
        beside = node["echo"].beside
        assert beside is not None
        assert beside.process is not None
        match how:
            case "exits":
                node.end(beside.process, 1)
                assert last(node).why.startswith("the new version exited with code 1")
            case "is late":
                node.register_successor("echo")
                node.advance(60_000, beating=True)
                assert last(node).why == "the new version was not READY in 60 s"
            case "leaves":
                node.register_successor("echo")
                node.say_beside("echo", ModuleState.DRAINING)
            case "is cancelled":
                node.ask(node.supervisor.cancel, "0" * 32)
                assert last(node).why == "was cancelled"
            case "old exits":
                node.exit("echo", 1)
                assert last(node).why.startswith("the running version ended")
                node.advance(1000)
                node.ready("echo")
        assert last(node).phase is Phase.ROLLED_BACK
        assert node["echo"].state is ModuleState.READY
        assert node["echo"].version == "0.1.0"
        node.advance(20_000, beating=True)
        assert len(node.alive) == 1

    def test_a_new_version_that_cannot_be_started_is_rolled_back(self) -> None:
        node = world()
        node.cannot_spawn = "no such program"
        upgrade(node)
        assert last(node).phase is Phase.ROLLED_BACK
        assert "no such program" in last(node).why
        assert node.states() == {"echo": "READY"}

    def test_the_successor_of_an_upgrade_that_is_over_is_refused(self) -> None:
        node = world()
        upgrade(node)
        node.register_successor("echo")
        beside = node["echo"].beside
        assert beside is not None
        assert beside.lease is not None
        lease_id = beside.lease.lease_id
        node.ask(node.supervisor.cancel, "0" * 32)
        node.advance(20_000, beating=True)
        node.exit("echo")
        node.advance(1000)
        node.ready("echo")
        with pytest.raises(StaleEpochError):
            node.ask(node.registry.heartbeat, lease_id, Beat(ModuleState.READY))

    def test_the_next_start_after_a_failed_upgrade_has_an_epoch_of_its_own(self) -> None:
        node = world()
        upgrade(node)
        node.ask(node.supervisor.cancel, "0" * 32)
        node.exit("echo", 1)
        node.advance(1000)
        assert node["echo"].epoch == 3

    def test_a_promotion_that_was_overtaken_changes_nothing(self) -> None:
        node = world()
        upgrade(node)
        node.register_successor("echo")
        beside, lease_id = node["echo"].beside, None
        assert beside is not None
        assert beside.lease is not None
        lease_id = beside.lease.lease_id
        ready = node.registry.heartbeat(next_ticket(), lease_id, Beat(ModuleState.READY), 0)
        [promotion] = [one for one in ready if isinstance(one, Save)]
        node.ask(node.supervisor.cancel, "0" * 32)

        node.put(node.supervisor.saved, promotion)

        assert node["echo"].epoch == 1
        assert last(node).phase is Phase.ROLLED_BACK
        assert node.saved["echo"] == node["echo"].record(), "that is what the store has at the end"

    def test_a_promotion_of_an_earlier_upgrade_is_not_that_of_this_one(self) -> None:
        node = world()
        upgrade(node)
        node.register_successor("echo")
        node.put(node.supervisor.saved, Save((), Promote("echo", "f" * 32, 2)))
        assert (node["echo"].epoch, last(node).phase) == (1, Phase.BESIDE)

    def test_both_epochs_may_publish_while_both_processes_live(self) -> None:
        node = world()
        assert node.views.one("echo").epochs == {1}
        upgrade(node)
        node.register_successor("echo")
        assert node.views.one("echo").epochs == {1, 2}
        node.say_beside("echo")
        assert node.views.one("echo").epochs == {1, 2}
        node.advance(20_000, beating=True)
        assert node.views.one("echo").epochs == {2}

    def test_a_kernel_that_stops_ends_both(self) -> None:
        node = world()
        upgrade(node)
        node.put(node.supervisor.close)
        node.advance(30_000)
        assert node.alive == {}
        assert node.modules.is_down()


class TestInPlace:
    def test_an_exclusive_module_ends_before_its_new_version_starts(self) -> None:
        node = world(exclusive=["echo"])
        assert upgrade(node).phase is Phase.STOPPING
        assert len(node.alive) == 1
        node.exit("echo")
        assert last(node).phase is Phase.TRYING
        assert node.saved["echo"].installed == "0.2.0"
        node.ready("echo")
        assert last(node).phase is Phase.PROMOTED

    def test_the_old_version_is_started_at_once_where_the_new_one_fails(self) -> None:
        node = world(exclusive=["echo"])
        upgrade(node)
        node.exit("echo")
        node.exit("echo", 2)
        assert last(node).phase is Phase.ROLLED_BACK
        node.advance(1)
        assert node["echo"].state is ModuleState.STARTING
        assert node["echo"].plan.manifest.version == "0.1.0"
        node.ready("echo")
        assert node.saved["echo"].installed == ""

    def test_a_version_that_does_not_get_ready_is_replaced(self) -> None:
        node = world(exclusive=["echo"])
        upgrade(node)
        node.exit("echo")
        node.register("echo")
        node.advance(60_000, beating=True)
        assert last(node).phase is Phase.ROLLED_BACK
        node.advance(1000)
        node.ready("echo")

    def test_what_is_cancelled_goes_back(self) -> None:
        node = world(exclusive=["echo"])
        upgrade(node)
        node.exit("echo")
        node.register("echo")
        node.ask(node.supervisor.cancel, "0" * 32)
        node.exit("echo")
        assert node["echo"].plan.manifest.version == "0.1.0"
        node.ready("echo")

    def test_a_failed_module_is_mended_by_another_version(self) -> None:
        node = world()
        node.exit("echo", 2)
        assert node.states() == {"echo": "FAILED"}
        upgrade(node)
        assert last(node).phase is Phase.TRYING
        node.ready("echo")
        assert last(node).phase is Phase.PROMOTED

    def test_a_stopped_module_has_the_new_version_at_its_next_start(self) -> None:
        node = world()
        node.want("stop", "echo")
        node.exit("echo")
        assert upgrade(node).phase is Phase.PROMOTED
        node.want("start", "echo")
        assert node.modules.plan_of("echo", 2).directory == "/modules/0.2.0"

    @pytest.mark.parametrize("step", ["stopping", "trying"])
    def test_a_stop_during_the_upgrade_keeps_the_old_version(self, step: str) -> None:
        node = world(exclusive=["echo"])
        upgrade(node)
        if step == "trying":
            node.exit("echo")
        node.want("stop", "echo")
        node.exit("echo")
        assert last(node).phase is Phase.ROLLED_BACK
        assert node.states() == {"echo": "STOPPED"}
        assert node["echo"].plan.manifest.version == "0.1.0"

    def test_a_stop_that_is_taken_back_before_it_began_leaves_the_upgrade_waiting(self) -> None:
        node = world(PAIR, exclusive=["echo"])
        node.want("restart", "front")
        upgrade(node)
        node.want("stop_all", "echo")
        assert node["echo"].state is ModuleState.READY, "what requires it has yet to end"
        node.want("start", "front")
        node.exit("front")
        node.exit("echo")
        assert last(node).phase is Phase.TRYING
        node.ready("echo")
        assert last(node).phase is Phase.PROMOTED
        node.ready("front")


class TestRefused:
    def test_unknown_names(self) -> None:
        node = world()
        with pytest.raises(UnknownModuleError):
            upgrade(node, "other")
        with pytest.raises(UnknownVersionError, match=r"installed: 0.2.0, 0.3.0"):
            upgrade(node, version="0.9.0")
        with pytest.raises(OperationNotFoundError):
            node.ask(node.supervisor.cancel, "1" * 32)

    def test_the_version_that_runs(self) -> None:
        with pytest.raises(UpgradeRefusedError, match=r"runs version 0.1.0 already"):
            upgrade(world(), version="0.1.0")

    def test_a_second_upgrade_at_a_time(self) -> None:
        node = world()
        upgrade(node)
        with pytest.raises(UpgradeUnderWayError):
            upgrade(node, version="0.3.0")

    def test_one_that_the_kernel_only_observes(self) -> None:
        node = World(ALONE, runtime=Runtime.EXTERNAL, installed=["0.2.0"])
        with pytest.raises(ExternalRuntimeError):
            upgrade(node)

    def test_a_version_that_others_cannot_do_with(self) -> None:
        ranges = {"front": {"echo": parse_range("<0.2")}}
        with pytest.raises(UpgradeRefusedError, match=r"front needs echo <0.2, not 0.2.0"):
            upgrade(world(PAIR, ranges=ranges))


class TestSeveral:
    """Upgrades of several modules at a time: each fits however the others end."""

    def test_versions_that_would_need_one_another_are_refused(self) -> None:
        node = world({"front": [], "echo": []})
        node.install("front", "0.4.0", requires=("echo",))
        node.install("echo", "0.4.0", requires=("front",))
        upgrade(node, "front", "0.4.0")
        with pytest.raises(DependencyCycleError):
            upgrade(node, "echo", "0.4.0")

    def test_a_version_that_the_coming_one_cannot_do_with_is_refused(self) -> None:
        node = world(PAIR)
        node.install("front", "0.4.0", requires=("echo",), ranges={"echo": parse_range("<0.2")})
        upgrade(node, "front", "0.4.0")
        with pytest.raises(UpgradeRefusedError, match=r"front needs echo <0.2, not 0.2.0"):
            upgrade(node, "echo", "0.2.0")

    def test_a_version_that_cannot_do_with_the_coming_one_is_refused(self) -> None:
        node = world(PAIR)
        node.install("front", "0.4.0", requires=("echo",), ranges={"echo": parse_range("<0.2")})
        upgrade(node, "echo", "0.2.0")
        with pytest.raises(UpgradeRefusedError, match=r"echo <0.2, which may become 0.2.0"):
            upgrade(node, "front", "0.4.0")

    def test_a_service_that_the_coming_version_has_is_taken(self) -> None:
        node = world(PAIR)
        node.install("front", "0.4.0", services=("test.Same",))
        node.install("echo", "0.4.0", services=("test.Same",))
        upgrade(node, "front", "0.4.0")
        with pytest.raises(UpgradeRefusedError, match=r"test.Same belongs to front"):
            upgrade(node, "echo", "0.4.0")


class TestReload:
    @pytest.mark.parametrize("exclusive", [[], ["echo"]])
    def test_a_module_runs_the_version_that_it_ran(self, exclusive: list[str]) -> None:
        node = world(exclusive=exclusive)
        begun: Upgrade = node.ask(node.supervisor.reload, "0" * 32, "echo")
        if exclusive:
            assert begun.phase is Phase.STOPPING
            node.exit("echo")
            node.ready("echo")
        else:
            assert begun.phase is Phase.BESIDE
            node.register_successor("echo")
            node.say_beside("echo")
        assert (last(node).old, last(node).new, last(node).phase) == ("", "", Phase.PROMOTED)
        assert (node["echo"].epoch, node["echo"].state) == (2, ModuleState.READY)

    def test_the_process_that_serves_stays_if_the_new_one_fails(self) -> None:
        node = world()
        node.ask(node.supervisor.reload, "0" * 32, "echo")
        beside = node["echo"].beside
        assert beside is not None
        assert beside.process is not None
        node.end(beside.process, 1)
        assert last(node).phase is Phase.ROLLED_BACK
        assert (node["echo"].epoch, node["echo"].state) == (1, ModuleState.READY)

    def test_of_an_exclusive_module_the_version_is_started_once_more(self) -> None:
        node = world(exclusive=["echo"])
        node.ask(node.supervisor.reload, "0" * 32, "echo")
        node.exit("echo")
        node.exit("echo", 2)
        assert last(node).phase is Phase.ROLLED_BACK
        node.advance(1)
        node.ready("echo")

    def test_modules_that_require_it_stay(self) -> None:
        node = world(PAIR, exclusive=["echo"])
        node.ask(node.supervisor.reload, "0" * 32, "echo")
        node.exit("echo")
        assert node["front"].state is ModuleState.READY


class UpgradeChaos(Chaos):
    """The same chaos with upgrades, of exclusive modules and of others (KER-48).

    Never two live epochs of an exclusive module; one that served when its upgrade began serves
    until the new version does; and every upgrade ends.
    """

    planned: Mapping[str, Any] = {"exclusive": ["base", "left"]}
    number = 0

    def _world(self, **left: Any) -> World:
        return super()._world(installed=["0.2.0", "0.3.0"], **left)

    @rule(name=names, version=st.sampled_from(["0.1.0", "0.2.0", "0.3.0"]))
    def upgrades(self, name: str, version: str) -> None:
        self.number += 1
        with suppress(UpgradeUnderWayError, UpgradeRefusedError, DiskFullError):
            operation = f"{self.number:032x}"
            made = self.world.ask(self.world.supervisor.upgrade, operation, name, version)
            assert made.operation == operation
            if made.phase is Phase.BESIDE:
                assert not self.world[name].plan.manifest.exclusive

    @rule(name=names)
    def reloads(self, name: str) -> None:
        self.number += 1
        with suppress(UpgradeUnderWayError, UpgradeRefusedError, DiskFullError):
            made = self.world.ask(self.world.supervisor.reload, f"{self.number:032x}", name)
            assert made.new == made.old

    @rule(name=names)
    def is_cancelled(self, name: str) -> None:
        one = self.world[name].upgrade
        if one is not None:
            after = self.world.ask(self.world.supervisor.cancel, one.operation)
            assert after.is_over

    @rule(name=names)
    def successor_registers(self, name: str) -> None:
        beside = self.world[name].beside
        if beside is not None and beside.is_successor:
            self.world.register_successor(name)

    @rule(name=names, said=st.sampled_from(["REGISTERED", "READY", "READY", "DRAINING"]))
    def second_process_beats(self, name: str, said: str) -> None:
        beside = self.world[name].beside
        if beside is not None and beside.lease is not None:
            self.world.say_beside(name, ModuleState(said))

    @rule(name=names, code=st.sampled_from([0, 1, 2, -9]))
    def second_process_ends(self, name: str, code: int) -> None:
        beside = self.world[name].beside
        if beside is not None and beside.process in self.world.alive:
            self.world.end(beside.process, code)

    @invariant()
    def upgrades_are_sound(self) -> None:
        for module in self.world.modules:
            alive = [one for one, name in self.world.alive.items() if name == module.name]
            noted = {module.process, None if module.beside is None else module.beside.process}
            assert set(alive) == noted - {None}, "no process is lost sight of"
            if module.plan.manifest.exclusive:
                assert len(alive) <= 1
            upgrade = module.upgrade
            if upgrade is None:
                continue
            if upgrade.phase is Phase.BESIDE:
                assert module.state is ModuleState.READY, "else none serves"
            is_new = upgrade.phase in {Phase.TRYING, Phase.PROMOTED}
            running = upgrade.new if is_new else upgrade.old
            assert module.installed == running
            assert bool(upgrade.why) == upgrade.is_over

    def teardown(self) -> None:
        for module in self.world.modules:
            self.is_cancelled(module.name)
        super().teardown()
        for module in self.world.modules:
            assert module.upgrade is None or module.upgrade.is_over


UpgradeChaos.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestUpgradeChaos = pytest.mark.property(UpgradeChaos.TestCase)
