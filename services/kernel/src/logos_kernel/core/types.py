"""Values of the kernel: states, records, and what modules report of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from logos_base.manifest import Manifest
from logos_base.restart import Restart
from logos_kernel.core.upgrade import Upgrade

INSTANCE_ID_BYTES: Final = 16
LEASE_ID_BYTES: Final = 16
MASTER_KEY_BYTES: Final = 32
MAX_STATUS_BYTES: Final = 200
MAX_ENDPOINT_BYTES: Final = 255
MAX_VERSION_BYTES: Final = 64
MAX_SERVICES: Final = 256
MAX_SERVICE_BYTES: Final = 255
MAX_SOCKET_PATH_BYTES: Final = 107
"""sun_path of unix(7), without its zero byte."""
MAX_EPOCH: Final = 2**53
"""Of an instance that counts its own: more than any counts to, and less than the store holds."""


class ModuleState(StrEnum):
    """Where a module is in its life (KER-1)."""

    BLOCKED = "BLOCKED"
    STARTING = "STARTING"
    REGISTERED = "REGISTERED"
    READY = "READY"
    DRAINING = "DRAINING"
    STOPPED = "STOPPED"
    BACKOFF = "BACKOFF"
    FAILED = "FAILED"


class Desired(StrEnum):
    """What the operator wants of a module."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"


class Runtime(StrEnum):
    """Who starts and restarts the modules of a node."""

    PROCESS = "process"
    DOCKER = "docker"
    KUBERNETES = "kubernetes"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process, for ever: a pid alone is used again."""

    pid: int
    """Of a container, that of its first process on the engine's machine."""
    start_ticks: int
    """Field 22 of /proc/<pid>/stat: clock ticks from boot to its start.

    Of a container, nanoseconds since 1970 at its start.
    """


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended."""

    code: int | None
    """Exit code; negative: the signal that ended it; None: not known, it was adopted."""
    lines: tuple[str, ...] = ()
    """Last lines of its log, at most 50, each cut to 1000 characters; oldest first."""
    is_oom: bool | None = None
    """Whether the system killed it for want of memory; None: not known."""
    is_unseen: bool = False
    """It had ended before this kernel could look; as if `Runtime.is_alive` had said so."""

    def __str__(self) -> str:
        if self.code is None:
            text = "ended"
        elif self.code < 0:
            text = f"ended by signal {-self.code}"
            text += ", out of memory" if self.is_oom else ""
        else:
            text = f"exited with code {self.code}"
        return f"{text}: {self.lines[-1]}" if self.lines else text


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used since its start."""

    cpu_s: float
    """User and system time."""
    rss_bytes: int
    """Memory that it holds now; of a container, without what the page cache can give back."""
    read_bytes: int | None = None
    """From disks; None: not known."""
    written_bytes: int | None = None
    pss_bytes: int = 0
    """Memory in which pages that processes share are counted once in all; 0: not known."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One module of the profile."""

    manifest: Manifest
    settings_json: str = "{}"
    runtime: Runtime = Runtime.PROCESS
    restart: Restart = field(default_factory=Restart)
    """How it is restarted: the profile's table over the manifest's."""
    group: str = ""
    """Its group; empty if it is in none."""
    directory: str = ""
    """Where its program is, if an operator has installed it."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the modules live that the kernel starts itself."""

    run_dir: Path
    state_dir: Path
    log_dir: Path
    kernel_target: str
    """The kernel's address for them."""
    join_secrets: Mapping[str, Path] = field(default_factory=dict)
    """Where each module of the profile reads its join secret."""
    join_dir: Path = Path()
    """Where the others do."""
    fork_server: Path | None = None
    """Socket of the testnet's fork server, if it has one."""
    cgroup: Path | None = None
    """Folder of a cgroup (v2) that the kernel divides among its modules; None: it has none."""

    def socket(self, module: str) -> Path:
        """Returns the Unix socket of a module."""
        return self.run_dir / f"{module}.sock"

    def join_secret(self, module: str) -> Path:
        """Returns the file where a module reads its join secret."""
        return self.join_secrets.get(module, self.join_dir / f"{module}.secret")

    def log(self, module: str) -> Path:
        """Returns the log file of a module."""
        return self.log_dir / f"{module}.log"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the API of Kubernetes is, and as whom the kernel calls it."""

    url: str
    namespace: str
    token: Path
    """Of the service account; read for each call, since it is replaced."""
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of one module across restarts of the kernel (KER-8)."""

    name: str
    desired: Desired = Desired.RUNNING
    epoch: int = 0
    restart_count: int = 0
    process: ProcessId | None = None
    endpoint: str = ""
    instance_id: bytes = b""
    newest: int = 0
    """Highest epoch that was given to a start of it, if that is over `epoch` (KER-48)."""
    installed: str = ""
    """The installed version that it runs; empty: that of the profile."""
    beside: ProcessId | None = None
    """A second process of it: of the version before, or of the one to come."""
    upgrade: Upgrade | None = None
    """The last one."""
    is_leaving: bool = False
    """Whether the node forgets the module once it has stopped (KER-50)."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """What a module says when it registers."""

    module: str
    version: str
    instance_id: bytes
    endpoint: str
    epoch: int
    services: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JoinProof:
    """By what a module shows that the profile means it (KER-15)."""

    nonce: bytes
    public_key: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class Instance:
    """One process of a module, and where it is."""

    endpoint: str
    instance_id: bytes


@dataclass(frozen=True, slots=True)
class MethodKind:
    """What a contract says of a gRPC method: above all which sides stream."""

    request_streaming: bool
    response_streaming: bool
    changes_nothing: bool = False
    """Its contract says `idempotency_level = NO_SIDE_EFFECTS`."""
    is_idempotent: bool = False
    """Its contract says `idempotency_level = IDEMPOTENT`."""

    @property
    def may_repeat(self) -> bool:
        """Whether a call may be made more than once."""
        return self.changes_nothing or self.is_idempotent


@dataclass(frozen=True, slots=True)
class Described:
    """What answers at an endpoint, in its own words."""

    module: str
    instance_id: bytes
    file_descriptor_set: bytes = b""
    """Serialised google.protobuf.FileDescriptorSet; empty if it cannot be read."""
    methods: Mapping[str, MethodKind] = field(default_factory=dict)
    """Kinds of `/<service>/<method>`, as far as the descriptors hold them."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instance that asks to be registered, after its endpoint was called."""

    introduction: Introduction
    described: Described
    """What answered there."""
    gone: Instance | None
    """The instance that it replaces, which no longer answers."""
    lease_id: bytes
    """Fresh and random."""


@dataclass(frozen=True, slots=True)
class Beat:
    """What a module says in a heartbeat."""

    state: ModuleState
    status_text: str = ""
    progress: int = 0
    """Any other number than before: it has got on since."""
    is_serving: bool = True
    """False if it is READY, and its own health is NOT_SERVING."""
    in_flight: int = 0
    """Calls that it is serving."""


@dataclass(frozen=True, slots=True)
class LeaseGrant:
    """The answer to a registration."""

    lease_id: bytes
    epoch: int
    ttl_ms: int


@dataclass(frozen=True, slots=True)
class KernelInfo:
    """Who this node and this kernel are."""

    node: str
    testnet: str
    version: str
    epoch: int
    started_at_ms: int
    """Wall clock, milliseconds since 1970 UTC."""
