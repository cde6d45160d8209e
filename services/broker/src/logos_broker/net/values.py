"""What the engine says, in its JSON, as values of the core. API 1.40 and later."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from logos_broker.core.containers import Mount, Seen, State, Usage

PROJECT: Final = "com.docker.compose.project"
SERVICE: Final = "com.docker.compose.service"
ONE_OFF: Final = "com.docker.compose.oneoff"

# Not CgroupnsMode: with cgroup v1, engines share it by default; it shows names alone.
_HOST: Final = ("PidMode", "IpcMode", "UTSMode", "NetworkMode", "UsernsMode")
_DEVICES: Final = ("Devices", "DeviceRequests", "DeviceCgroupRules", "VolumesFrom", "GroupAdd")


def seen_of(inspected: Mapping[str, Any], project: str) -> Seen:
    """Returns a container as inspected; names of its project lose their prefix."""
    config, host = inspected["Config"], inspected["HostConfig"]
    networks = inspected["NetworkSettings"]["Networks"] or {}
    options = host.get("SecurityOpt") or ()
    return Seen(
        container_id=inspected["Id"],
        image=config["Image"],
        mounts=frozenset(_mount(mount, project) for mount in inspected["Mounts"]),
        networks=frozenset(_own(name, project) for name in networks),
        user=config.get("User") or "",
        is_privileged=bool(host.get("Privileged")),
        is_read_only=bool(host.get("ReadonlyRootfs")),
        has_no_new_privileges=bool({"no-new-privileges", "no-new-privileges:true"} & set(options)),
        added=frozenset(host.get("CapAdd") or ()),
        dropped=frozenset(host.get("CapDrop") or ()),
        shared=frozenset(_shared(host)),
        restart=(host.get("RestartPolicy") or {}).get("Name") or "",
        state=state_of(inspected["State"]),
    )


def state_of(state: Mapping[str, Any]) -> State:
    """Returns the state of a container."""
    is_running, started_at_ns = bool(state["Running"]), nanoseconds_of(state["StartedAt"])
    return State(
        is_running=is_running,
        pid=int(state["Pid"]) if is_running else 0,
        started_at_ns=started_at_ns,
        exit_code=None if is_running or not started_at_ns else int(state["ExitCode"]),
        is_oom=not is_running and bool(state.get("OOMKilled")),
    )


def usage_of(stats: Mapping[str, Any]) -> Usage | None:
    """Returns what a container has used; None if it does not run."""
    memory = stats.get("memory_stats") or {}
    if "usage" not in memory:
        return None
    details = memory.get("stats") or {}
    cache = details.get("inactive_file", details.get("total_inactive_file", 0))  # cgroup v2, v1
    moved = (stats.get("blkio_stats") or {}).get("io_service_bytes_recursive")
    return Usage(
        cpu_ns=int(stats["cpu_stats"]["cpu_usage"]["total_usage"]),
        memory_bytes=max(0, int(memory["usage"]) - int(cache)),
        read_bytes=_sum(moved, "read"),
        written_bytes=_sum(moved, "write"),
    )


def nanoseconds_of(text: str) -> int:
    """Returns an RFC 3339 time as nanoseconds since 1970; 0 for the engine's `never`."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    moment = datetime.fromisoformat(seconds).replace(tzinfo=UTC)
    if moment.year <= 1:
        return 0
    return int(moment.timestamp()) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9])


def _sum(moved: list[Mapping[str, Any]] | None, kind: str) -> int | None:
    if moved is None:
        return None
    return sum(int(one["value"]) for one in moved if one["op"].lower() == kind)


def _mount(mount: Mapping[str, Any], project: str) -> Mount:
    is_volume = mount["Type"] == "volume"
    name = _own(mount["Name"], project) if is_volume else f"{mount['Type']}:{mount['Source']}"
    return Mount(name, mount["Destination"], is_writable=bool(mount["RW"]))


def _own(name: str, project: str) -> str:
    """Returns a name of the project's without its prefix; any other is kept, and told apart."""
    prefix = f"{project}_"
    return name.removeprefix(prefix) if name.startswith(prefix) else f"/{name}"


def _shared(host: Mapping[str, Any]) -> list[str]:
    """Returns the namespaces and devices that a container has of others."""
    found = []
    for key in _HOST:
        value = host.get(key) or ""
        if value == "host" or value.startswith("container:"):
            found.append(f"{key} {value}")
    return found + [key for key in _DEVICES if host.get(key)]
