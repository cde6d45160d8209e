"""KER-3, KER-4, KER-7: registrations, leases, epochs."""

import pytest
from kernel_world import World

from logos_base.errors import DiskFullError, LogosError
from logos_kernel.core.errors import (
    InvalidRegistrationError,
    ModuleUnreachableError,
    NotReadyError,
    StaleEpochError,
    UnknownLeaseError,
    UnknownModuleError,
)
from logos_kernel.core.types import Beat, Candidate, Described, ModuleState, Runtime

SECOND = b"another-process."


def test_a_registration_is_answered_with_lease_epoch_and_settings() -> None:
    world = World({"base": []})

    grant = world.register("base")

    assert len(grant.lease_id) == 16
    assert (grant.epoch, grant.ttl_ms) == (1, 15_000)
    assert world.states() == {"base": "REGISTERED"}
    assert world.saved["base"].endpoint == "unix:/run/base.sock"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", "one"),
        ("instance_id", b"fifteen bytes.."),
        ("instance_id", b"seventeen bytes.."),
        ("endpoint", ""),
        ("endpoint", "unix:relative"),
        ("endpoint", "unix:/a\0b"),
        ("endpoint", "localhost"),
        ("endpoint", "dns:///elsewhere:1"),
        ("endpoint", "unix:/" + "a" * 250),
        ("endpoint", "unix:/" + "ü" * 125),
        ("version", "1.0.0-" + "a" * 59),
        ("services", ("test." + "a" * 251,)),
        ("epoch", 2**53 + 1),
        ("epoch", 2**64 - 1),
        ("services", ("no dots or spaces",)),
        ("services", ("grpc.health.v1.Health",)),
        ("services", ("logos.kernel.v1.Kernel",)),
        ("services", ("logos.module.v1.ModuleHost",)),
        ("services", ("test.top.Echo",)),
        ("services", tuple(f"test.S{number}" for number in range(257))),
    ],
)
def test_a_malformed_field_is_refused_by_name(field: str, value: object) -> None:
    world = World({"base": [], "top": []})

    with pytest.raises(InvalidRegistrationError) as refused:
        world.register("base", **{field: value})

    assert refused.value.field == field


@pytest.mark.parametrize("name", ["", "../x", "Base", "a" * 65, "b\0", "bäse"])
def test_a_name_that_is_not_in_the_profile_is_refused(name: str) -> None:
    world = World({"base": []})

    with pytest.raises(UnknownModuleError):
        world.register("base", module=name)


@pytest.mark.parametrize(
    "answers",
    [Described("base", SECOND), Described("top", b"base-1.........."), Described("", b"")],
)
def test_another_process_at_the_endpoint_is_refused(answers: Described) -> None:
    world = World({"base": []})

    with pytest.raises(ModuleUnreachableError):
        world.register("base", answers=answers)

    assert world.states() == {"base": "STARTING"}


def test_an_older_start_is_refused() -> None:
    world = World({"base": []})
    world.exit("base", 1)
    world.advance(500)

    with pytest.raises(StaleEpochError):
        world.register("base", epoch=1)
    with pytest.raises(StaleEpochError):
        world.register("base", epoch=3)

    assert world.register("base", epoch=2).epoch == 2


def test_a_second_process_of_one_start_is_refused() -> None:
    world = World({"base": []})
    world.ready("base")

    for epoch in (0, 1):
        with pytest.raises(StaleEpochError):
            world.register("base", instance_id=SECOND, epoch=epoch)

    assert world.states() == {"base": "READY"}


def test_a_process_that_was_given_up_is_refused() -> None:
    world = World({"base": []})
    introduction = world.introduce("base")
    world.exit("base", 1)

    with pytest.raises(StaleEpochError, match="base is BACKOFF"):
        world.registry.check(introduction)


def test_only_a_beat_makes_a_module_ready() -> None:
    world = World({"base": []})
    world.register("base")
    world.say("base", ModuleState.REGISTERED, "loading")
    with pytest.raises(NotReadyError) as refused:
        world.views.ready("base")
    assert refused.value.retry_after_ms is not None

    assert world.say("base") == 15_000

    location = world.views.ready("base")
    assert (location.endpoint, location.epoch) == ("unix:/run/base.sock", 1)
    world.say("base", ModuleState.REGISTERED)
    with pytest.raises(NotReadyError):
        world.views.ready("base")


def test_beats_keep_a_lease() -> None:
    world = World({"base": []})
    world.ready("base")

    for _ in range(10):
        world.advance(14_999)
        world.say("base")

    assert world.states() == {"base": "READY"}


def test_a_process_keeps_its_lease_when_its_session_ends() -> None:
    world = World({"base": []})
    world.ready("base")
    lease = world["base"].lease
    assert lease is not None

    world.put(world.registry.session_ended, lease.lease_id)
    world.advance(14_999)

    assert world.states() == {"base": "READY"}


@pytest.mark.parametrize("said", ["BLOCKED", "STARTING", "STOPPED", "BACKOFF", "FAILED"])
def test_a_module_cannot_say_what_only_the_kernel_knows(said: str) -> None:
    world = World({"base": []})
    world.register("base")

    with pytest.raises(InvalidRegistrationError):
        world.say("base", ModuleState(said))


def test_a_long_status_is_cut_between_characters() -> None:
    world = World({"base": []})
    world.register("base")

    world.say("base", ModuleState.REGISTERED, "ä" * 150)

    assert world["base"].status_text == "ä" * 100
    world.say("base", ModuleState.REGISTERED, "a" + "ä" * 150)
    assert world["base"].status_text == "a" + "ä" * 99


@pytest.mark.parametrize(
    ("lease_id", "error"),
    [
        (b"", InvalidRegistrationError),
        (b"seventeen bytes..", InvalidRegistrationError),
        (b"nobody has this.", UnknownLeaseError),
    ],
)
def test_beats_on_other_leases_are_refused(lease_id: bytes, error: type[LogosError]) -> None:
    world = World({"base": []})
    world.ready("base")

    with pytest.raises(error):
        world.ask(world.registry.heartbeat, lease_id, Beat(ModuleState.READY))


def test_a_beat_of_an_older_start_is_told_from_one_of_a_lost_lease() -> None:
    world = World({"base": []})
    world.ready("base")
    lease = world["base"].lease
    assert lease is not None
    world.exit("base", 1)

    with pytest.raises(UnknownLeaseError):
        world.ask(world.registry.heartbeat, lease.lease_id, Beat(ModuleState.READY))
    world.advance(500)

    with pytest.raises(StaleEpochError):
        world.ask(world.registry.heartbeat, lease.lease_id, Beat(ModuleState.READY))


def test_a_module_that_registers_again_stays_ready_and_leaves_its_old_lease() -> None:
    world = World({"base": []})
    world.ready("base")
    old = world["base"].lease
    assert old is not None
    world.now_ms += 1

    world.register("base")

    assert world.states() == {"base": "READY"}
    with pytest.raises(UnknownLeaseError):
        world.ask(world.registry.heartbeat, old.lease_id, Beat(ModuleState.READY))
    world.say("base")


def test_a_module_that_leaves_is_given_its_grace_and_started_again() -> None:
    world = World({"base": []})
    world.ready("base")
    lease = world["base"].lease
    assert lease is not None

    world.ask(world.registry.deregister, lease.lease_id)
    world.ask(world.registry.deregister, lease.lease_id)
    assert world.states() == {"base": "DRAINING"}
    world.advance(10_000)
    assert not world.alive, "it said that it would end, and did not"

    assert world.states() == {"base": "BACKOFF"}


def test_a_module_that_drains_of_its_own_accord_is_started_again_when_it_has_ended() -> None:
    world = World({"base": []})
    world.ready("base")

    world.say("base", ModuleState.DRAINING)
    with pytest.raises(NotReadyError):
        world.views.ready("base")
    world.say("base", ModuleState.READY)
    assert world.states() == {"base": "DRAINING"}, "there is no way back"
    world.exit("base", 0)

    assert world.states() == {"base": "BACKOFF"}


class TestObserved:
    """Modules that the kernel only observes."""

    def world(self) -> World:
        world = World({"base": []}, runtime=Runtime.EXTERNAL)
        world.register("base", instance_id=b"first-process...", epoch=0)
        world.say("base")
        return world

    def test_the_first_instance_is_epoch_one(self) -> None:
        assert self.world()["base"].epoch == 1

    def test_an_instance_keeps_its_epoch_when_it_comes_back(self) -> None:
        world = self.world()
        world.advance(15_000)
        assert world.states() == {"base": "STARTING"}

        assert world.register("base", instance_id=b"first-process...", epoch=1).epoch == 1
        assert world["base"].restart_count == 0

    def test_a_second_instance_is_refused_while_the_first_answers(self) -> None:
        world = self.world()

        rival = world.registry.check(world.introduce("base", instance_id=SECOND, epoch=0))
        assert rival is not None
        assert rival.instance_id == b"first-process..."
        with pytest.raises(StaleEpochError):
            world.register("base", instance_id=SECOND, epoch=0, rival_alive=True)

        assert world["base"].instance_id == b"first-process..."

    def test_a_second_instance_replaces_one_that_no_longer_answers(self) -> None:
        world = self.world()
        old = world["base"].lease
        assert old is not None

        grant = world.register("base", instance_id=SECOND, epoch=0, rival_alive=False)

        assert grant.epoch == 2
        assert world["base"].restart_count == 1
        assert world.states() == {"base": "REGISTERED"}
        with pytest.raises(StaleEpochError):
            world.ask(world.registry.heartbeat, old.lease_id, Beat(ModuleState.READY))
        with pytest.raises(StaleEpochError):
            world.register("base", instance_id=b"first-process...", epoch=1)

    def test_an_instance_is_refused_with_nothing_changed_if_its_epoch_cannot_be_saved(self) -> None:
        world = self.world()
        world.fates = [True]

        with pytest.raises(DiskFullError):
            world.register("base", instance_id=SECOND, epoch=0)
        assert (world["base"].epoch, world.saved["base"].epoch) == (1, 1)
        assert world["base"].instance_id == b"first-process..."

        assert world.register("base", instance_id=SECOND, epoch=0).epoch == 2
        assert world.saved["base"].epoch == 2

    def test_a_rival_that_came_after_the_check_is_not_replaced_unasked(self) -> None:
        world = self.world()
        said = world.introduce("base", instance_id=SECOND, epoch=0)
        gone = world.registry.check(said)
        world.register("base", instance_id=b"third-process...", epoch=0)

        with pytest.raises(StaleEpochError):
            world.ask(
                world.registry.register,
                Candidate(said, Described("base", SECOND), gone, b"sixteen bytes..."),
            )

    def test_an_epoch_survives_a_kernel_that_has_forgotten_it(self) -> None:
        world = World({"base": []}, runtime=Runtime.EXTERNAL)

        assert world.register("base", instance_id=SECOND, epoch=7).epoch == 7

    def test_one_whose_session_ended_has_little_time_to_beat_again(self) -> None:
        world = self.world()
        lease = world["base"].lease
        assert lease is not None

        world.put(world.registry.session_ended, lease.lease_id)
        world.advance(2_999)
        world.say("base")
        world.advance(14_999)
        assert world.states() == {"base": "READY"}

        world.say("base")
        world.put(world.registry.session_ended, b"another lease...")
        world.put(world.registry.session_ended, lease.lease_id)
        world.advance(3_000)
        assert world.states() == {"base": "STARTING"}
        assert world["base"].last_exit == "its session ended"

    def test_one_that_leaves_is_awaited(self) -> None:
        world = self.world()
        lease = world["base"].lease
        assert lease is not None

        world.say("base", ModuleState.DRAINING)
        world.ask(world.registry.deregister, lease.lease_id)

        assert world.states() == {"base": "STARTING"}
        assert world.register("base", instance_id=SECOND, epoch=0).epoch == 2
