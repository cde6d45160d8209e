"""What the engine's JSON means. The documents are those of API 1.43, cut to what is read."""

from typing import Any

import pytest

from logos_broker.core.confinement import problems
from logos_broker.core.containers import Described, Mount, Usage
from logos_broker.net.values import nanoseconds_of, seen_of, usage_of

INSPECTED: dict[str, Any] = {
    "Id": "c0ffee",
    "Config": {"Image": "logos/storage:0.2.0", "User": "65532:65532"},
    "HostConfig": {
        "NetworkMode": "logos-small_node1",
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "CapAdd": None,
        "CapDrop": ["ALL"],
        "CgroupnsMode": "host",
        "IpcMode": "private",
        "PidMode": "",
        "UTSMode": "",
        "UsernsMode": "",
        "Privileged": False,
        "ReadonlyRootfs": True,
        "SecurityOpt": ["no-new-privileges:true"],
        "Devices": None,
        "VolumesFrom": None,
    },
    "Mounts": [
        {
            "Type": "volume",
            "Name": "logos-small_node1-storage",
            "Source": "/var/lib/docker/volumes/logos-small_node1-storage/_data",
            "Destination": "/data",
            "RW": True,
        }
    ],
    "NetworkSettings": {"Networks": {"logos-small_node1": {}}},
    "State": {
        "Running": True,
        "OOMKilled": False,
        "Pid": 4711,
        "ExitCode": 0,
        "StartedAt": "2026-08-30T10:00:00.5Z",
        "FinishedAt": "0001-01-01T00:00:00Z",
    },
}
DESCRIBED = Described(
    "node1-storage",
    "logos/storage:0.2.0",
    frozenset({Mount("node1-storage", "/data", is_writable=True)}),
    frozenset({"node1"}),
)


def changed(section: str, **values: Any) -> dict[str, Any]:
    return INSPECTED | {section: INSPECTED[section] | values}


def test_a_container_of_the_compose_file_is_as_described() -> None:
    seen = seen_of(INSPECTED, "logos-small")

    assert problems(seen, DESCRIBED) == []
    assert (seen.state.pid, seen.state.exit_code) == (4711, None)
    assert seen.state.started_at_ns == 1_788_084_000_500_000_000


@pytest.mark.parametrize(
    "inspected",
    [
        changed("HostConfig", PidMode="host"),
        changed("HostConfig", NetworkMode="host"),
        changed("HostConfig", IpcMode="container:abc"),
        changed("HostConfig", UsernsMode="host"),
        changed("HostConfig", Devices=[{"PathOnHost": "/dev/kvm"}]),
        changed("HostConfig", VolumesFrom=["other"]),
        changed("HostConfig", GroupAdd=["0"]),
        changed("HostConfig", SecurityOpt=None),
        changed("HostConfig", CapDrop=None),
        changed("NetworkSettings", Networks={"node1": {}}),
        changed("NetworkSettings", Networks={"other_node1": {}}),
        INSPECTED | {"Mounts": [INSPECTED["Mounts"][0] | {"Name": "other-project_node1-storage"}]},
        INSPECTED
        | {"Mounts": [{"Type": "bind", "Source": "/etc", "Destination": "/data", "RW": False}]},
    ],
)
def test_what_is_of_others_is_told_apart(inspected: dict[str, Any]) -> None:
    assert problems(seen_of(inspected, "logos-small"), DESCRIBED)


def test_one_that_ended_has_an_exit_code_and_one_that_never_ran_has_none() -> None:
    ended = changed("State", Running=False, Pid=0, ExitCode=137, OOMKilled=True)
    fresh = changed("State", Running=False, Pid=0, StartedAt="0001-01-01T00:00:00Z")

    state = seen_of(ended, "logos-small").state
    assert (state.exit_code, state.is_oom) == (137, True)
    state = seen_of(fresh, "logos-small").state
    assert (state.exit_code, state.started_at_ns) == (None, 0)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1970-01-01T00:00:01.000000001Z", 1_000_000_001),
        ("1970-01-01T00:00:01.25Z", 1_250_000_000),
        ("1970-01-01T00:00:01Z", 1_000_000_000),
        ("0001-01-01T00:00:00Z", 0),
    ],
)
def test_times_keep_their_nanoseconds(text: str, nanoseconds: int) -> None:
    assert nanoseconds_of(text) == nanoseconds


def test_usage_leaves_out_the_cache_that_can_be_given_back() -> None:
    stats = {
        "cpu_stats": {"cpu_usage": {"total_usage": 12}},
        "memory_stats": {"usage": 100, "stats": {"inactive_file": 30}},
        "blkio_stats": {
            "io_service_bytes_recursive": [
                {"op": "read", "value": 1},
                {"op": "Read", "value": 2},
                {"op": "write", "value": 4},
            ]
        },
    }
    old = stats | {"memory_stats": {"usage": 100, "stats": {"total_inactive_file": 40}}}

    assert usage_of(stats) == Usage(12, 70, 3, 4)
    assert usage_of(old | {"blkio_stats": {}}) == Usage(12, 60, None, None)
    assert usage_of({"cpu_stats": {}, "memory_stats": {}}) is None
