"""KER-50: modules that are loaded and unloaded, also when the store fails or a kernel ends."""

from typing import Any

import pytest
from kernel_world import World

from logos_base.errors import DiskFullError
from logos_kernel.core.errors import (
    DependencyCycleError,
    ExternalRuntimeError,
    HasDependentsError,
    OfProfileError,
    UnknownModuleError,
    UpgradeRefusedError,
)
from logos_kernel.core.types import Desired, ModuleState, Runtime

ALONE: dict[str, list[str]] = {"echo": []}


def world(**more: Any) -> World:
    """Returns a node on which `echo` is READY."""
    made = World(ALONE, **more)
    if made["echo"].state is ModuleState.STARTING and made["echo"].lease is None:
        made.ready("echo")
    return made


def next_kernel(old: World) -> World:
    """Returns the node after its kernel was killed; its processes live on."""
    return World(
        ALONE,
        records=list(old.saved.values()),
        alive=old.alive,
        epochs=old.epochs,
        kept=old.kept,
        kept_exits=old.kept_exits,
        also_installed=old.modules.versions,
    )


class TestLoading:
    def test_a_module_that_is_installed_is_loaded_and_unloaded(self) -> None:
        node = world()
        node.install("extra", "1.0.0", requires=("echo",))
        node.ask(node.supervisor.load, "extra", "1.0.0")
        node.ready("extra")
        assert node.saved["extra"].desired is Desired.RUNNING
        node.ask(node.supervisor.unload, "extra")
        node.exit("extra")
        assert node.states() == {"echo": "READY"}
        assert node.saved["extra"].installed == ""
        node.ask(node.supervisor.load, "extra", "1.0.0")
        assert node["extra"].epoch == 2, "a process of the first start must not come back"

    def test_what_waits_for_it_starts_with_it(self) -> None:
        node = World({"front": ["extra"]})
        assert node.states() == {"front": "BLOCKED"}
        node.install("extra", "1.0.0")
        node.ask(node.supervisor.load, "extra", "1.0.0")
        node.ready("extra", "front")

    def test_it_is_not_unloaded_under_those_that_need_it(self) -> None:
        node = World({"front": ["extra"]})
        node.install("extra", "1.0.0")
        node.ask(node.supervisor.load, "extra", "1.0.0")
        node.ready("extra", "front")
        with pytest.raises(HasDependentsError, match="front"):
            node.ask(node.supervisor.unload, "extra")
        assert not node["extra"].is_leaving
        node.ask(node.supervisor.unload_all, "extra")
        node.exit("front")
        node.exit("extra")
        assert node.states() == {"front": "STOPPED"}

    def test_what_the_profile_has_is_not_unloaded(self) -> None:
        node = world()
        with pytest.raises(OfProfileError):
            node.ask(node.supervisor.unload, "echo")
        assert node.saved["echo"].desired is Desired.RUNNING

    def test_what_was_to_leave_leaves_under_the_next_kernel(self) -> None:
        node = world()
        node.install("extra", "1.0.0")
        node.ask(node.supervisor.load, "extra", "1.0.0")
        node.ready("extra")
        node.ask(node.supervisor.unload, "extra")
        assert node.saved["extra"].is_leaving

        after = next_kernel(node)
        assert after["extra"].state is ModuleState.DRAINING
        after.exit("extra")

        assert "extra" not in after.states()
        assert (after.saved["extra"].installed, after.saved["extra"].is_leaving) == ("", False)
        assert "extra" not in next_kernel(after).states()

    def test_what_has_stopped_and_was_then_unloaded_leaves_too(self) -> None:
        node = world()
        node.install("extra", "1.0.0")
        node.ask(node.supervisor.load, "extra", "1.0.0")
        node.ready("extra")
        node.ask(node.supervisor.stop, "extra")
        node.exit("extra")
        node.fates = [True]
        with pytest.raises(DiskFullError):
            node.ask(node.supervisor.unload, "extra")
        assert node.states()["extra"] == "STOPPED"
        assert not node["extra"].is_leaving
        node.ask(node.supervisor.unload, "extra")
        assert "extra" not in node.states()

    def test_a_start_before_it_has_ended_keeps_it_also_for_the_next_kernel(self) -> None:
        node = world()
        node.install("extra", "1.0.0")
        node.ask(node.supervisor.load, "extra", "1.0.0")
        node.ready("extra")
        node.ask(node.supervisor.unload, "extra")
        node.ask(node.supervisor.start, "extra")
        node.exit("extra")
        assert node.states()["extra"] == "STARTING"
        assert not node.saved["extra"].is_leaving
        assert "extra" in next_kernel(node).states()

    def test_what_is_leaving_is_not_upgraded(self) -> None:
        node = world()
        node.install("extra", "1.0.0")
        node.install("extra", "1.1.0")
        node.ask(node.supervisor.load, "extra", "1.0.0")
        node.ready("extra")
        node.ask(node.supervisor.unload, "extra")
        with pytest.raises(UpgradeRefusedError, match="extra is being unloaded"):
            node.ask(node.supervisor.upgrade, "0" * 32, "extra", "1.1.0")

    def test_a_load_that_cannot_be_saved_leaves_nothing(self) -> None:
        node = world()
        node.install("extra", "1.0.0", requires=("echo",))
        node.fates = [True]
        with pytest.raises(DiskFullError):
            node.ask(node.supervisor.load, "extra", "1.0.0")
        assert node.states() == {"echo": "READY"}
        assert "extra" not in node.saved
        with pytest.raises(UnknownModuleError):
            node.ask(node.supervisor.start, "extra")
        node.ask(node.supervisor.load, "extra", "1.0.0")
        node.ready("extra")

    def test_a_start_that_cannot_be_saved_keeps_a_module_that_is_loaded_already(self) -> None:
        node = world()
        node.install("extra", "1.0.0")
        node.ask(node.supervisor.load, "extra", "1.0.0")
        node.ready("extra")
        node.ask(node.supervisor.stop, "extra")
        node.exit("extra")
        node.fates = [True]
        with pytest.raises(DiskFullError):
            node.ask(node.supervisor.load, "extra", "1.0.0")
        assert node.states()["extra"] == "STOPPED"

    @pytest.mark.parametrize("runtime", [Runtime.EXTERNAL, Runtime.DOCKER])
    def test_where_modules_are_containers_none_is_loaded(self, runtime: Runtime) -> None:
        node = World(ALONE, runtime=runtime)
        node.install("extra", "1.0.0")
        node.install("echo", "0.2.0")
        with pytest.raises(ExternalRuntimeError, match="give its container another image"):
            node.ask(node.supervisor.load, "extra", "1.0.0")
        with pytest.raises(ExternalRuntimeError):
            node.ask(node.supervisor.upgrade, "0" * 32, "echo", "0.2.0")
        assert list(node.states()) == ["echo"]

    def test_a_cycle_is_refused(self) -> None:
        node = World({"front": ["extra"]})
        node.install("extra", "1.0.0", requires=("front",))
        with pytest.raises(DependencyCycleError):
            node.ask(node.supervisor.load, "extra", "1.0.0")
        assert node.states() == {"front": "BLOCKED"}
