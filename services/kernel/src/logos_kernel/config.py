"""Settings of a kernel: its environment, the node's profile and the manifests (KER-11)."""

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Final

from logos_base.errors import ConfigError
from logos_base.manifest import NAME, Manifest, parse_manifest
from logos_base.restart import Restart, parse_restart
from logos_base.toml_lines import KeyPath, key_lines
from logos_client.channels import stays_here
from logos_kernel.core import resolve
from logos_kernel.core.errors import InvalidSettingsError
from logos_kernel.core.groups import Group, Strategy
from logos_kernel.core.groups import problems as group_problems
from logos_kernel.core.registry import RESERVED_SERVICES
from logos_kernel.core.restarts import RestartPolicy
from logos_kernel.core.schema import Schema
from logos_kernel.core.types import MAX_SOCKET_PATH_BYTES, Cluster, Places, Plan, Runtime
from logos_module.environment import ADDRESS, parse_log_level, parse_metrics_listen
from logos_module.sockets import path_of
from logos_module.tls import CertificateFiles, CertificateUnusableError

SCHEMA: Final = 1
MAX_PROFILE_BYTES: Final = 1024 * 1024
SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
DATABASE_SCHEME: Final = "postgresql+asyncpg://"

_EVERYWHERE: Final = frozenset({"0.0.0.0", "[::]", "::"})  # noqa: S104 - to refuse them
_PLACES: Final = ("LOGOS_RUN_DIR", "LOGOS_MODULES_STATE_DIR", "LOGOS_MODULES_LOG_DIR")
_KEYS: Final = frozenset({"schema", "testnet", "node", "runtime", "modules", "kernel", "groups"})
_MODULE_KEYS: Final = frozenset({"manifest", "settings", "join_secret", "restart", "group"})
_GROUP_KEYS: Final = frozenset({"strategy", "parent", "max_restarts", "window_ms"})
_POLICY_KEYS: Final = frozenset(
    one.name for one in fields(RestartPolicy) if one.type in {int, "int"}
)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker of the testnet's containers is (KER-24)."""

    target: str
    secret: Path
    """File with the secret of this node, which the broker makes."""


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of a kernel."""

    testnet: str
    node: str
    plans: tuple[Plan, ...]
    policy: RestartPolicy
    groups: tuple[Group, ...]
    state_dir: Path
    front: str
    """Public gRPC address to bind."""
    listen: str
    """gRPC address to bind for the node's own modules."""
    places: Places | None
    """Where modules that are processes live; None where they are none."""
    broker: Broker | None = None
    """None where the modules are no containers that it starts."""
    cluster: Cluster | None = None
    """None where the modules are no pods."""
    log_level: str = "INFO"
    metrics_listen: tuple[str, int] | None = None
    master_key: Path | None = None
    """File with the master key, instead of the one in `state_dir`."""
    passphrase: Path | None = None
    """File with the passphrase of the master key in `state_dir`."""
    operator_token: Path = Path()
    """File with the token of the operators of this machine."""
    join_secrets: Mapping[str, Path] = field(default_factory=dict)
    """Where the join secret of each module is written."""
    tls: CertificateFiles | None = None
    """Certificate of the front door; None where it does not encrypt."""
    modules_dir: Path | None = None
    """Where operators may install modules from; None: nowhere, but for admins."""
    database: str | None = field(default=None, repr=False)
    """URL of a PostgreSQL database instead of a file in `state_dir`; may hold a password."""

    def join_secret(self, module: str) -> Path:
        """Returns the file where a module reads its join secret."""
        return self.join_secrets.get(module, self.state_dir / "join" / f"{module}.secret")


def parse(variables: Mapping[str, str]) -> Config:
    """Reads the environment and the files it names; raises `ConfigError` with all problems."""
    problems: list[str] = []

    def required(name: str) -> str:
        if not variables.get(name):
            problems.append(f"{name}: must be set")
        return variables.get(name, "")

    def address(name: str) -> str:
        value = required(name)
        if not value or ADDRESS.fullmatch(value):
            return value
        problems.append(f"{name}: must be unix:/path or host:port, is {value!r}")
        return ""

    profile_path, state_dir = required("LOGOS_PROFILE"), required("LOGOS_STATE_DIR")
    front, listen = address("LOGOS_FRONT"), address("LOGOS_LISTEN")
    if listen.rpartition(":")[0] in _EVERYWHERE:
        problems.append(
            f"LOGOS_LISTEN: must be an address of the node's own network, which is not encrypted;"
            f" {listen} is all of this machine's"
        )
    level = parse_log_level(variables, problems)
    metrics_listen = parse_metrics_listen(variables, problems)
    tls = _parse_tls(variables, front, problems)
    database = _parse_database(variables, problems)
    master_key, passphrase = _parse_master_key(variables, problems)
    profile = _Profile(problems)
    if profile_path:
        profile.read(Path(profile_path))
    places = None
    if profile.runtime is Runtime.PROCESS:
        places = _parse_places(variables, required, listen, problems)
        problems += _long_sockets(places, profile.plans)
    broker = _parse_broker(profile.runtime, address, required)
    cluster = _parse_cluster(profile.runtime, variables, required, problems)
    if problems:
        raise ConfigError(problems)
    state, modules_dir = Path(state_dir), variables.get("LOGOS_MODULES_DIR")
    join_secrets = {
        plan.manifest.name: state / "join" / f"{plan.manifest.name}.secret"
        for plan in profile.plans
    } | profile.join_secrets
    if places is not None:
        places = replace(places, join_secrets=join_secrets, join_dir=state / "join")
    return Config(
        testnet=profile.testnet,
        node=profile.node,
        plans=tuple(profile.plans),
        policy=profile.policy,
        groups=tuple(profile.groups.values()),
        state_dir=state,
        front=front,
        listen=listen,
        places=places,
        broker=broker,
        cluster=cluster,
        log_level=level,
        metrics_listen=metrics_listen,
        tls=tls,
        modules_dir=Path(modules_dir) if modules_dir else None,
        database=database,
        operator_token=Path(variables.get("LOGOS_OPERATOR_TOKEN") or state / "operator.token"),
        join_secrets=join_secrets,
        master_key=master_key,
        passphrase=passphrase,
    )


def _parse_master_key(
    variables: Mapping[str, str], problems: list[str]
) -> tuple[Path | None, Path | None]:
    """Returns the files of the master key and of its passphrase: one of them at most."""
    key, passphrase = (variables.get(name) for name in ("LOGOS_MASTER_KEY", "LOGOS_PASSPHRASE"))
    if key and passphrase:
        problems.append(
            "LOGOS_PASSPHRASE: is for a key in the state folder, not for that of LOGOS_MASTER_KEY"
        )
    return Path(key) if key else None, Path(passphrase) if passphrase else None


def _parse_broker(
    runtime: Runtime, address: Callable[[str], str], required: Callable[[str], str]
) -> Broker | None:
    if runtime is not Runtime.DOCKER:
        return None
    return Broker(address("LOGOS_BROKER"), Path(required("LOGOS_BROKER_SECRET")))


def _parse_cluster(
    runtime: Runtime,
    variables: Mapping[str, str],
    required: Callable[[str], str],
    problems: list[str],
) -> Cluster | None:
    """Reads where the API of the cluster is, as Kubernetes tells each pod."""
    if runtime is not Runtime.KUBERNETES:
        return None
    host, port = required("KUBERNETES_SERVICE_HOST"), required("KUBERNETES_SERVICE_PORT")
    folder = Path(variables.get("LOGOS_SERVICE_ACCOUNT") or SERVICE_ACCOUNT)
    try:
        namespace = (folder / "namespace").read_text(encoding="ascii").strip()
    except OSError as error:
        problems.append(f"{folder}/namespace: {error.strerror}")
        return None
    shown = f"[{host}]" if ":" in host else host
    return Cluster(f"https://{shown}:{port}", namespace, folder / "token", folder / "ca.crt")


def _parse_database(variables: Mapping[str, str], problems: list[str]) -> str | None:
    url = variables.get("LOGOS_DATABASE") or None
    if url is not None and not url.startswith(DATABASE_SCHEME):
        problems.append(f"LOGOS_DATABASE: must begin with {DATABASE_SCHEME}")
    return url


def _parse_places(
    variables: Mapping[str, str],
    required: Callable[[str], str],
    listen: str,
    problems: list[str],
) -> Places:
    run_dir, modules_dir, log_dir = (Path(required(name)) for name in _PLACES)
    if listen and not stays_here(listen):
        problems.append(
            f"LOGOS_LISTEN: {listen} is neither on loopback nor a Unix socket, and is not"
            " encrypted: modules that are processes need no other"
        )
    places = Places(run_dir, modules_dir, log_dir, listen)
    if fork_server := variables.get("LOGOS_FORK_SERVER"):
        places = replace(places, fork_server=Path(fork_server))
    if cgroup := variables.get("LOGOS_CGROUP"):
        places = replace(places, cgroup=Path(cgroup))
    return places


def _parse_tls(
    variables: Mapping[str, str], front: str, problems: list[str]
) -> CertificateFiles | None:
    """Reads how the front door encrypts; in clear text it opens to this machine alone."""
    names = ("LOGOS_TLS_CERTIFICATE", "LOGOS_TLS_KEY")
    certificate, key = (variables.get(name) for name in names)
    if certificate and key:
        files = CertificateFiles(Path(certificate), Path(key))
        if path_of(front) is not None:
            problems.append(f"{names[0]}: is of no use, since LOGOS_FRONT is a Unix socket")
        try:
            files.read()
        except CertificateUnusableError as error:
            problems.append(str(error))
        return files
    if certificate or key:
        given, missing = names if certificate else reversed(names)
        problems.append(f"{missing}: must be set, since {given} is")
    elif front and not (stays_here(front) or _may_be_plaintext(variables, problems)):
        problems.append(
            f"LOGOS_FRONT: {front} is neither on loopback nor a Unix socket, where the token of"
            f" an operator must not travel in clear text: set {' and '.join(names)}, or use"
            " 127.0.0.1; LOGOS_FRONT_PLAINTEXT=1 permits it, if only this machine reaches it"
        )
    return None


def _may_be_plaintext(variables: Mapping[str, str], problems: list[str]) -> bool:
    value = variables.get("LOGOS_FRONT_PLAINTEXT", "")
    if value not in {"", "1"}:
        problems.append(f"LOGOS_FRONT_PLAINTEXT: must be 1 or not set, is {value!r}")
    return value == "1"


def _long_sockets(places: Places, plans: Iterable[Plan]) -> list[str]:
    paths = [places.socket(plan.manifest.name) for plan in plans]
    return [
        f"LOGOS_RUN_DIR: {path} is over {MAX_SOCKET_PATH_BYTES} bytes"
        for path in paths
        if len(bytes(path)) > MAX_SOCKET_PATH_BYTES
    ]


def _located(manifest: Manifest, folder: Path) -> Manifest:
    """Finds a program that is named from the manifest's folder on (KER-2)."""
    program, *arguments = manifest.command or ("",)
    if not program.startswith("./"):
        return manifest
    return replace(manifest, command=(str((folder / program).resolve()), *arguments))


class _Profile:
    """Reads one profile and its manifests; collects problems as `<file>:<line>: …`."""

    def __init__(self, problems: list[str]) -> None:
        self.testnet = ""
        self.node = ""
        self.runtime = Runtime.EXTERNAL
        self.policy = RestartPolicy()
        self.plans: list[Plan] = []
        self.join_secrets: dict[str, Path] = {}
        self.groups: dict[str, Group] = {}
        self._problems = problems
        self._path = Path()
        self._lines: dict[KeyPath, int] = {}

    def read(self, path: Path) -> None:
        """Reads all that a profile says."""
        self._path = path
        text = self._text(path, MAX_PROFILE_BYTES)
        if text is None:
            return
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self._problems.append(f"{path}: not TOML: {error}")
            return
        self._lines = key_lines(text)
        for key in sorted(document.keys() - _KEYS):
            self._blame(key, "unknown key")
        if document.get("schema") != SCHEMA:
            self._blame("schema", f"must be {SCHEMA}, is {document.get('schema')!r}")
        self.testnet = self._name(document, "testnet")
        self.node = self._name(document, "node")
        self._read_runtime(document.get("runtime", "process"))
        self._read_policy(document.get("kernel", {}))
        self._read_groups(document.get("groups", {}))
        self._read_modules(document.get("modules", {}))
        self._check_together()

    def _read_runtime(self, value: object) -> None:
        try:
            self.runtime = Runtime(str(value))
        except ValueError:
            self._blame("runtime", f"must be one of {', '.join(Runtime)}, is {value!r}")

    def _read_policy(self, table: object) -> None:
        if not isinstance(table, dict):
            self._blame("kernel", "must be a table")
            return
        for key, value in table.items():
            if key not in _POLICY_KEYS:
                self._blame(f"kernel.{key}", "unknown key")
            elif self._is_whole(value, f"kernel.{key}"):
                self.policy = replace(self.policy, **{key: value})

    def _is_whole(self, value: object, where: str) -> bool:
        is_whole = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        if not is_whole:
            self._blame(where, f"must be a whole number from 1, is {value!r}")
        return is_whole

    def _read_modules(self, table: object) -> None:
        if not isinstance(table, dict):
            self._blame("modules", "must be a table")
            return
        for name, module in table.items():
            where = f"modules.{name}"
            if not isinstance(module, dict):
                self._blame(where, "must be a table")
                continue
            for key in sorted(module.keys() - _MODULE_KEYS):
                self._blame(f"{where}.{key}", "unknown key")
            manifest = self._manifest(name, module.get("manifest"), where)
            settings = self._settings(module.get("settings", {}), f"{where}.settings")
            self._read_join_secret(name, module.get("join_secret"), where)
            restart, group = self._restart(module, where), self._group(module, where)
            if manifest is not None:
                self._check_settings(manifest, settings, where)
                restart = restart.over(manifest.restart)
                group = group or manifest.group
                self.plans.append(Plan(manifest, settings, self.runtime, restart, group))

    def _check_settings(self, manifest: Manifest, settings: str, where: str) -> None:
        try:
            Schema(manifest.settings).complete(json.loads(settings))
        except InvalidSettingsError as error:
            self._blame(f"{where}.settings", str(error))
        except ValueError as error:
            self._blame(f"{where}.manifest", str(error))

    def _restart(self, module: dict[str, object], where: str) -> Restart:
        problems: list[str] = []
        restart = parse_restart(module.get("restart", {}), "restart", problems)
        for problem in problems:
            key, _, what = problem.partition(": ")
            self._blame(f"{where}.{key}", what)
        return restart

    def _group(self, table: dict[str, object], where: str, key: str = "group") -> str:
        value = table.get(key, "")
        if value == "" or (isinstance(value, str) and NAME.fullmatch(value)):
            return str(value)
        self._blame(f"{where}.{key}", f"must be text like {NAME.pattern}, is {value!r}")
        return ""

    def _read_groups(self, table: object) -> None:
        if not isinstance(table, dict):
            self._blame("groups", "must be a table")
            return
        for name, group in table.items():
            where = f"groups.{name}"
            if not isinstance(group, dict) or not NAME.fullmatch(name):
                self._blame(where, f"must be a table, and its name text like {NAME.pattern}")
                continue
            for key in sorted(group.keys() - _GROUP_KEYS):
                self._blame(f"{where}.{key}", "unknown key")
            strategy = group.get("strategy", Strategy.ONE_FOR_ONE)
            if strategy not in list(Strategy):
                what = f"must be one of {', '.join(Strategy)}, is {strategy!r}"
                self._blame(f"{where}.strategy", what)
                continue
            figures = {key: group[key] for key in ("max_restarts", "window_ms") if key in group}
            for key, value in figures.items():
                self._is_whole(value, f"{where}.{key}")
            parent = self._group(group, where, "parent")
            self.groups[name] = Group(name, Strategy(strategy), parent, **figures)

    def _read_join_secret(self, name: str, value: object, where: str) -> None:
        if value is None:
            return
        if isinstance(value, str) and Path(value).is_absolute():
            self.join_secrets[name] = Path(value)
        else:
            self._blame(f"{where}.join_secret", f"must be an absolute path, is {value!r}")

    def _manifest(self, name: str, file: object, where: str) -> Manifest | None:
        if not isinstance(file, str) or not file:
            self._blame(f"{where}.manifest", "must be the path of a manifest")
            return None
        path = self._path.parent / file
        text = self._text(path, MAX_PROFILE_BYTES)
        if text is None:
            return None
        try:
            manifest = parse_manifest(text)
        except ConfigError as error:
            self._problems.extend(f"{path}: {problem}" for problem in error.problems)
            return None
        if manifest.name != name:
            self._problems.append(f"{path}: name: must be {name!r}, as in the profile")
        if self.runtime is Runtime.PROCESS and not manifest.command:
            self._problems.append(f"{path}: command: must name a program")
        return _located(manifest, path.parent)

    def _settings(self, table: object, where: str) -> str:
        if not isinstance(table, dict):
            self._blame(where, "must be a table")
            return "{}"
        try:
            return json.dumps(table, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError):
            self._blame(where, "holds a date, a time, inf or nan, which JSON cannot express")
            return "{}"

    def _check_together(self) -> None:
        versions = {plan.manifest.name: plan.manifest.version for plan in self.plans}
        for plan in self.plans:
            for name, needed in plan.manifest.ranges.items():
                if name in versions and not needed.holds(versions[name]):
                    what = f"needs {name} {needed}, which is {versions[name]}"
                    self._blame(f"modules.{plan.manifest.name}", what)
        requires = {plan.manifest.name: plan.manifest.prerequisites for plan in self.plans}
        if names := resolve.cycle(requires):
            self._blame("modules", f"requires form a cycle: {' -> '.join(names)}")
        for problem in group_problems(self.groups):
            key, _, what = problem.partition(": ")
            self._blame(key, what)
        owners: dict[str, str] = {}
        for plan in self.plans:
            for service in plan.manifest.services:
                owner = owners.setdefault(service, plan.manifest.name)
                if owner != plan.manifest.name:
                    self._blame(f"modules.{plan.manifest.name}", f"{service} belongs to {owner}")
                if service.startswith(RESERVED_SERVICES):
                    self._blame(
                        f"modules.{plan.manifest.name}",
                        f"{service} is served by every server itself, and cannot be routed",
                    )

    def _name(self, document: dict[str, object], key: str) -> str:
        value = document.get(key)
        if isinstance(value, str) and NAME.fullmatch(value):
            return value
        self._blame(key, f"must be text like {NAME.pattern}, is {value!r}")
        return ""

    def _text(self, path: Path, limit_bytes: int) -> str | None:
        try:
            raw = path.read_bytes()
            if len(raw) > limit_bytes:
                self._problems.append(f"{path}: is over {limit_bytes} bytes")
                return None
            return raw.decode()
        except OSError as error:
            self._problems.append(f"{path}: {error.strerror}")
        except UnicodeDecodeError:
            self._problems.append(f"{path}: is not UTF-8")
        return None

    def _blame(self, key: str, what: str) -> None:
        """Adds a problem with the line of a dotted key, or of the table it would stand in."""
        parts = tuple(key.split("."))
        places = (parts[:size] for size in range(len(parts), 0, -1))
        line = next((self._lines[place] for place in places if place in self._lines), None)
        at = f"{self._path}:{line}" if line else str(self._path)
        self._problems.append(f"{at}: {key}: {what}")
