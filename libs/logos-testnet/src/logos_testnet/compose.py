"""Renders a plan as a compose file for `docker compose up --build --wait` alone.

Rendered as text, not dumped: people read this file, and a test compares it byte by byte.
"""

import json
import os
import textwrap
from pathlib import PurePosixPath
from typing import Final

from logos_base.needs import MESH, Limits
from logos_testnet.app_process import panels_of_others
from logos_testnet.compose_broker import (
    BROKER,
    BROKER_VERSION,
    Container,
    broker_networks,
    broker_service,
    broker_volumes,
    kernel_environment,
    kernel_networks,
    kernel_volumes,
)
from logos_testnet.front_networks import MASQUERADE
from logos_testnet.genesis import VARIABLE, holders, job_document, modules_with_genesis
from logos_testnet.plan import (
    CONTAINER_FRONT_PORT,
    CONTAINER_GRPC_PORT,
    CONTAINER_METRICS_PORT,
    CONTAINER_PRIVATE_GENESIS,
    CONTAINER_PUBLIC_GENESIS,
    ModulePlan,
    NodePlan,
    Plan,
    mesh_network,
)

KERNEL_VERSION: Final = "0.1.0"
IMAGES: Final = os.environ.get("LOGOS_IMAGES") or "logos"
"""What the names of images begin with: checkouts that share an engine need different ones."""
STATE_DIR: Final = "/data"
OPERATOR_DIR: Final = "/operator"
"""Where all kernels see the volume with the operator's token; the image has the folder."""
_OPERATOR: Final = "operator"
PROBE: Final = "/opt/logos/libs/logos_module/probe.py"
GENESIS_RUNNER: Final = "/opt/logos/libs/logos_module/genesis.py"
NODES_GENESIS: Final = "/genesis/nodes"
"""Parent of the nodes' folders in a genesis job, named by index; the image has them."""
PROBE_INTERVAL: Final = "3s"
PROBE_TIMEOUT: Final = "30s"
"""The probe gives up by itself. An engine that gives up on it first leaves it running and starts
the next: on a machine that has too much to do, probes would pile up until they are all it does."""
APP: Final = "app"
"""Compose service of the Logos App; nodes cannot be called so."""
APP_LINK_PROGRAM: Final = "logos-app-link"
_APP_PORT: Final = 8080

_HEAD: Final = """\
# Rendered by `./logos render` from {source}: change that, not this.
#
#   docker compose up --build --wait    # node N's front door is 127.0.0.1:{base} + N
#   docker compose down -v              # -v forgets identities and files too
#
# Each node has a network of its own for its modules, without a way out, and one for its
# front door, on which only its kernel stands. The modules that talk to other nodes share
# the network `mesh`.{broker}

name: {project}

# A gRPC health call without importing gRPC: a paused container still accepts connections.
x-health: &health
  test: [CMD, python, -I, -S, {probe}]
  interval: {interval}
  timeout: {timeout}
  retries: 5
  start_period: 90s

x-service: &service
  user: "65532:65532"
  read_only: true
  tmpfs: ["/tmp:size=64m,mode=1777"]
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  init: true
  restart: unless-stopped
  stop_grace_period: 20s
  mem_limit: {memory_mib}m
  pids_limit: {processes}
  cpus: {cpus}
  ulimits:
    nofile: {{ soft: 8192, hard: 8192 }}
  logging:
    driver: json-file
    options: {{ max-size: 10m, max-file: "3" }}
  healthcheck: *health
"""

_BROKER_HEAD: Final = """ Kernels start and restart the containers of their modules
# through the broker, which alone sees the engine; compose makes and removes them."""


_NO_WAY_OUT: Final = [
    "    # A module serves a page here. Ports are published all the same.",
    f'    driver_opts: {{ {MASQUERADE}: "false" }}',
]


def project_name(testnet: str) -> str:
    """Returns the compose project of a testnet."""
    return f"logos-{testnet}"


def name_of_project(project: str) -> str | None:
    """Returns the testnet that a compose project is; None if it is something else."""
    prefix = project_name("")
    return project.removeprefix(prefix) if project.startswith(prefix) else None


def service_name(node: str, module: str) -> str:
    """Returns the compose service of a module of a node, or of its `kernel`."""
    return f"{node}-{module}"


def genesis_name(module: str) -> str:
    """Returns the compose service of a module's genesis job, also the name of its public volume.

    It differs from those of nodes, whose names have no full stop.
    """
    return f"genesis.{module}"


def image_name(module: ModulePlan) -> str:
    """Returns the image of a module."""
    return module.image or f"{IMAGES}/{module.manifest.name}:{module.manifest.version}"


def render_compose(plan: Plan, *, source: str) -> str:
    """Renders the compose file of a plan made by `container_plan`.

    Args:
        plan: The testnet.
        source: The topology file, for the file's head.
    """
    base = plan.topology.front_port_base
    usual = Limits()
    head = _HEAD.format(
        memory_mib=usual.memory_mib,
        processes=usual.processes,
        cpus=usual.cpus,
        source=source,
        base=base,
        project=project_name(plan.topology.name),
        interval=PROBE_INTERVAL,
        timeout=PROBE_TIMEOUT,
        probe=PROBE,
        broker=_BROKER_HEAD if plan.topology.has_broker else "",
    )
    built: set[str] = set()
    services = [_manifest_variables(plan), "services:"]
    services += [_genesis(plan, module, built) for module in modules_with_genesis(plan).values()]
    if plan.topology.has_broker:
        services.append(_broker(plan, built))
    for node in plan.nodes:
        services.append(_kernel(plan, node, built))
        services += [_module(plan, node, module, built) for module in node.modules]
    if plan.topology.app_port is not None:
        services.append(_app(plan, plan.topology.app_port))
    return "\n".join([head, *services, _networks(plan), _volumes(plan)])


def _manifest_variables(plan: Plan) -> str:
    """Variables with the manifests, for every kernel: read-only containers take no configs."""
    texts: dict[str, str] = {}
    for node in plan.nodes:
        texts |= {module.manifest.name: module.manifest_text for module in node.modules}
    lines = ["x-manifests: &manifests"]
    for name, text in sorted(texts.items()):
        lines += [f"  {_manifest_variable(name)}: |", _block(text, 4)]
    return "\n".join(lines) + "\n"


def _manifest_variable(module: str) -> str:
    return f"LOGOS_MANIFEST_{module.replace('-', '_')}"


def _block(text: str, indent: int) -> str:
    """Indents text for a YAML block scalar, and escapes `$`, which compose would expand."""
    return textwrap.indent(text.rstrip("\n").replace("$", "$$"), " " * indent)


def _image(image: str, build: list[str], built: set[str]) -> list[str]:
    """The first service that uses an image builds it; without `build`, none does."""
    if not build:
        return [f"    image: {image}"]
    if image in built:
        return [f"    image: {image}", "    pull_policy: never"]
    built.add(image)
    return [
        f"    image: {image}",
        "    build:",
        "      context: .",
        "      dockerfile: deploy/Dockerfile",
        *build,
    ]


def _module_image(module: ModulePlan, built: set[str]) -> list[str]:
    build = ["      target: module", f"      args: {{ SERVICE: {module.name} }}"]
    return _image(image_name(module), [] if module.image else build, built)


def _own_health(module: ModulePlan) -> list[str]:
    """A third-party image may lack Python: it has its own HEALTHCHECK."""
    if module.image is None:
        return []
    times = f"interval: {PROBE_INTERVAL}, timeout: {PROBE_TIMEOUT}, retries: 5, start_period: 90s"
    return [f"    healthcheck: {{ {times} }}"]


def _broker(plan: Plan, built: set[str]) -> str:
    build = ["      target: module", f"      args: {{ SERVICE: {BROKER} }}"]
    image = _image(f"{IMAGES}/{BROKER}:{BROKER_VERSION}", build, built)
    containers = {
        node.name: {
            module.name: Container(
                service_name(node.name, module.name),
                image_name(module),
                _module_volumes(node, module),
                _module_networks(node, module),
            )
            for module in node.modules
        }
        for node in plan.nodes
    }
    return broker_service(plan, image, containers)


def _kernel(plan: Plan, node: NodePlan, built: set[str]) -> str:
    if node.networks is None:
        raise ValueError("the plan is not one for containers")
    networks, has_broker = node.networks, plan.topology.has_broker
    names = " ".join(module.manifest.name for module in node.modules)
    metrics, published = [], []
    if node.metrics_port is not None:
        listen = f"{networks.front_kernel}:{CONTAINER_METRICS_PORT}"
        metrics = [f"      LOGOS_METRICS_LISTEN: {listen}"]
        published = [f'      - "127.0.0.1:{node.metrics_port}:{CONTAINER_METRICS_PORT}"']
    lines = [
        f"  {service_name(node.name, 'kernel')}:",
        "    <<: *service",
        *_image(f"{IMAGES}/kernel:{KERNEL_VERSION}", ["      target: kernel"], built),
        *(_starting(node) if has_broker else _observing()),
        "    environment:",
        "      <<: *manifests",
        f"      LOGOS_MANIFESTS: {names}",
        f"      LOGOS_FRONT: {networks.front_kernel}:{CONTAINER_FRONT_PORT}",
        "      # Not encrypted, so published on 127.0.0.1 alone: see `ports`.",
        '      LOGOS_FRONT_PLAINTEXT: "1"',
        f"      LOGOS_LISTEN: {networks.kernel}:{CONTAINER_GRPC_PORT}",
        *(kernel_environment(plan) if has_broker else []),
        f"      LOGOS_STATE_DIR: {STATE_DIR}",
        f"      LOGOS_OPERATOR_TOKEN: {OPERATOR_DIR}/token",
        *metrics,
        "      LOGOS_PROFILE_TOML: |",
        _block(plan.profile(node), 8),
        "    ports:",
        f'      - "127.0.0.1:{node.front_port}:{CONTAINER_FRONT_PORT}"',
        *published,
        "    networks:",
        f"      {node.name}: {{ ipv4_address: {networks.kernel} }}",
        f"      {node.name}-front: {{ ipv4_address: {networks.front_kernel} }}",
        *(kernel_networks(node) if has_broker else []),
        "    volumes:",
        f"      - {node.name}-kernel:{STATE_DIR}",
        f"      - {_OPERATOR}:{OPERATOR_DIR}",
        *(
            f"      - {_join_volume(node, module)}:{_join_folder(module)}"
            for module in node.modules
        ),
        *(kernel_volumes(node) if has_broker else []),
        "",
    ]
    return "\n".join(lines)


def _app(plan: Plan, port: int) -> str:
    """The Logos App: on the networks of the front doors, and on no other."""
    fronts = {node.name: node.networks for node in plan.nodes if node.networks is not None}
    doors = " ".join(
        f"{name}={networks.front_kernel}:{CONTAINER_FRONT_PORT}"
        for name, networks in fronts.items()
    )
    others = " ".join(panels_of_others(plan))
    probe = "/opt/logos/module/logos_app/probe.py"
    lines = [
        f"  {APP}:",
        "    <<: *service",
        *_image(f"{IMAGES}/app:{KERNEL_VERSION}", ["      target: app"], set()),
        "    healthcheck:",
        "      <<: *health",
        f"      test: [CMD, python, -I, -S, {probe}]",
        "    environment:",
        f"      LOGOS_APP_TESTNET: {plan.topology.name}",
        f"      LOGOS_APP_NODES: {doors}",
        *([f'      LOGOS_APP_OTHERS: "{others}"'] if others else []),
        "      # Not encrypted, so published on 127.0.0.1 alone: see `ports`.",
        '      LOGOS_APP_ENCLOSED: "1"',
        f'      LOGOS_APP_PUBLIC_PORT: "{port}"',
        f"      LOGOS_LISTEN: 0.0.0.0:{_APP_PORT}",
        f"      LOGOS_STATE_DIR: {STATE_DIR}",
        f"      LOGOS_OPERATOR_TOKEN: {OPERATOR_DIR}/token",
        "    ports:",
        f'      - "127.0.0.1:{port}:{_APP_PORT}"',
        "    networks:",
        *(f"      {name}-front: {{ ipv4_address: {n.front_app} }}" for name, n in fronts.items()),
        "    volumes:",
        f"      - {APP}:{STATE_DIR}",
        f"      - {_OPERATOR}:{OPERATOR_DIR}:ro",
        "",
    ]
    return "\n".join(lines)


def _starting(node: NodePlan) -> list[str]:
    """What a kernel has that starts its modules: it is healthy once they are READY."""
    return [
        "    stop_grace_period: 60s",
        "    # The node as a whole: it serves once its modules do, which its kernel starts.",
        "    healthcheck:",
        "      <<: *health",
        "      start_period: 180s",
        "    depends_on:",
        f"      {BROKER}: {{ condition: service_healthy }}",
        *(
            f"      {genesis_name(module.name)}: {{ condition: service_completed_successfully }}"
            for module in node.modules
            if module.manifest.needs.genesis.command
        ),
    ]


def _observing() -> list[str]:
    return [
        "    # The kernel alone: as a whole the node serves once its modules do.",
        "    healthcheck:",
        "      <<: *health",
        f"      test: [CMD, python, -I, -S, {PROBE}, logos.kernel.v1.Kernel]",
    ]


def _module(plan: Plan, node: NodePlan, module: ModulePlan, built: set[str]) -> str:
    if node.networks is None:
        raise ValueError("the plan is not one for containers")
    name, needs = module.name, module.manifest.needs
    lines = [
        f"  {service_name(node.name, name)}:",
        "    <<: *service",
        *_module_image(module, built),
        *_own_health(module),
        *_limits(needs.limits),
        *_begun_by(plan, node, module),
        "    environment:",
        f"      LOGOS_MODULE: {name}",
        f"      LOGOS_KERNEL: {node.networks.kernel}:{CONTAINER_GRPC_PORT}",
        f"      LOGOS_LISTEN: {module.address}:{CONTAINER_GRPC_PORT}",
        f"      LOGOS_STATE_DIR: {STATE_DIR}",
        f"      LOGOS_JOIN_SECRET: {module.join_secret}",
        "    networks:",
        f"      {node.name}: {{ ipv4_address: {module.address} }}",
    ]
    if needs.is_on_mesh:
        lines.append(f"      {MESH}: {{ ipv4_address: {node.networks.mesh} }}")
    if module.front_address is not None:
        lines.append(f"      {node.name}-front: {{ ipv4_address: {module.front_address} }}")
    lines += ["    volumes:", *(f"      - {each}" for each in _module_volumes(node, module))]
    return "\n".join([*lines, ""])


def _module_networks(node: NodePlan, module: ModulePlan) -> list[str]:
    mesh = [MESH] if module.manifest.needs.is_on_mesh else []
    front = [f"{node.name}-front"] if module.front_address is not None else []
    return [node.name, *mesh, *front]


def _begun_by(plan: Plan, node: NodePlan, module: ModulePlan) -> list[str]:
    """When compose starts a module: with a broker, only once its kernel has done so already."""
    name, kernel = module.name, service_name(node.name, "kernel")
    if plan.topology.has_broker:
        return [
            '    restart: "no" # the kernel starts it, through the broker',
            "    depends_on:",
            f"      {kernel}: {{ condition: service_healthy }}",
        ]
    needed = [
        service_name(node.name, each) for each in module.manifest.prerequisites or ("kernel",)
    ]
    lines = [
        "    depends_on:",
        *(f"      {one}: {{ condition: service_healthy }}" for one in needed),
    ]
    if module.manifest.needs.genesis.command:
        lines.append(f"      {genesis_name(name)}: {{ condition: service_completed_successfully }}")
    return lines


def _module_volumes(node: NodePlan, module: ModulePlan) -> list[str]:
    """Returns what a module mounts, as `VOLUME:/PATH` or `VOLUME:/PATH:ro`."""
    name = module.name
    volumes = [
        f"{node.name}-{name}:{STATE_DIR}",
        f"{_join_volume(node, module)}:{_join_folder(module)}:ro",
    ]
    if module.manifest.needs.genesis.command:
        volumes += [
            f"{genesis_name(name)}:{CONTAINER_PUBLIC_GENESIS}:ro",
            f"{_private_volume(name, node)}:{CONTAINER_PRIVATE_GENESIS}:ro",
        ]
    return volumes


def _limits(limits: Limits) -> list[str]:
    """Returns the limits that differ from the defaults."""
    usual = Limits()
    return [
        line
        for line, differs in (
            (f"    mem_limit: {limits.memory_mib}m", limits.memory_mib != usual.memory_mib),
            (f"    pids_limit: {limits.processes}", limits.processes != usual.processes),
            (f"    cpus: {limits.cpus}", limits.cpus != usual.cpus),
        )
        if differs
    ]


def _genesis(plan: Plan, module: ModulePlan, built: set[str]) -> str:
    """Renders the one-shot service that makes the genesis of a module."""
    name = module.name
    folders = {
        node.name: PurePosixPath(NODES_GENESIS, str(node.index)) for node in plan.topology.nodes
    }
    document = job_document(plan, name, CONTAINER_PUBLIC_GENESIS, folders)
    command = ["python", "-I", "-S", GENESIS_RUNNER, *module.manifest.needs.genesis.command]
    lines = [
        f"  {genesis_name(name)}:",
        "    <<: *service",
        *_module_image(module, built),
        *_limits(module.manifest.needs.limits),
        "    # Runs once: at a later start it finds its work done.",
        f"    command: {_block(json.dumps(command, ensure_ascii=False), 0)}",
        '    restart: "no"',
        "    healthcheck: { disable: true }",
        "    network_mode: none",
        "    environment:",
        f"      {VARIABLE}: |",
        _block(document, 8),
        "    volumes:",
        f"      - {genesis_name(name)}:{CONTAINER_PUBLIC_GENESIS}",
        *(
            f"      - {_private_volume(name, node)}:{folders[node.name]}"
            for node in holders(plan, name)
        ),
        "",
    ]
    return "\n".join(lines)


def _join_volume(node: NodePlan, module: ModulePlan) -> str:
    """Returns the volume with a module's join secret: its kernel writes, it alone reads."""
    return f"join.{node.name}.{module.name}"


def _join_folder(module: ModulePlan) -> PurePosixPath:
    if module.join_secret is None:
        raise ValueError("the plan is not one for containers")
    return PurePosixPath(module.join_secret).parent


def _private_volume(module: str, node: NodePlan) -> str:
    """Returns the volume of a node's private genesis."""
    return f"{genesis_name(module)}.{node.name}"


def _networks(plan: Plan) -> str:
    lines = [
        "networks:",
        f"  {MESH}:",
        "    internal: true",
        f"    ipam: {{ config: [{{ subnet: {mesh_network(plan.topology)} }}] }}",
    ]
    lines += broker_networks(plan) if plan.topology.has_broker else []
    for node in plan.nodes:
        if node.networks is None:
            continue
        lines += [
            f"  {node.name}:",
            "    internal: true",
            f"    ipam: {{ config: [{{ subnet: {node.networks.modules} }}] }}",
            f"  {node.name}-front:",
            *(_NO_WAY_OUT if any(each.front_address for each in node.modules) else []),
            f"    ipam: {{ config: [{{ subnet: {node.networks.front} }}] }}",
        ]
    return "\n".join(lines) + "\n"


def _volumes(plan: Plan) -> str:
    lines = ["volumes:", f"  {_OPERATOR}: {{}}"]
    lines += broker_volumes(plan) if plan.topology.has_broker else []
    if plan.topology.app_port is not None:
        lines.append(f"  {APP}: {{}}")
    for node in plan.nodes:
        lines.append(f"  {node.name}-kernel: {{}}")
        for module in node.modules:
            lines.append(f"  {node.name}-{module.name}: {{}}")
            lines.append(f"  {_join_volume(node, module)}: {{}}")
    for name in modules_with_genesis(plan):
        lines.append(f"  {genesis_name(name)}: {{}}")
        lines += [f"  {_private_volume(name, node)}: {{}}" for node in holders(plan, name)]
    return "\n".join(lines) + "\n"
