"""The broker in a compose file: the one service that sees the engine (KER-24)."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logos_testnet.plan import CONTAINER_GRPC_PORT, NodePlan, Plan, broker_address, broker_network
from logos_testnet.toml_text import to_toml

BROKER: Final = "broker"
"""Its service, and its network."""
BROKER_VERSION: Final = "0.1.0"
SOCKET: Final = "/var/run/docker.sock"

_SECRETS: Final = "/nodes"
_SECRET: Final = "/broker"  # noqa: S105 - the path of a folder


@dataclass(frozen=True, slots=True)
class Container:
    """What the compose file says of a module's container, and so the most that it may be."""

    service: str
    image: str
    volumes: Sequence[str]
    networks: Sequence[str]


def broker_service(
    plan: Plan, image: Sequence[str], containers: Mapping[str, Mapping[str, Container]]
) -> str:
    """Renders the broker.

    Args:
        plan: The testnet.
        image: Lines with its image.
        containers: By node and module.
    """
    lines = [
        f"  {BROKER}:",
        "    <<: *service",
        *image,
        "    # Alone sees the engine. Root, whose socket that is, but without any capability.",
        '    user: "0:0"',
        "    environment:",
        f"      LOGOS_LISTEN: {broker_address(plan.topology)}:{CONTAINER_GRPC_PORT}",
        f"      LOGOS_SECRETS_DIR: {_SECRETS}",
        "      LOGOS_DESCRIPTION_TOML: |",
        textwrap.indent(_description(containers).replace("$", "$$"), " " * 8).rstrip(),
        "    networks:",
        f"      {BROKER}: {{ ipv4_address: {broker_address(plan.topology)} }}",
        "    volumes:",
        f"      - ${{LOGOS_ENGINE_SOCKET:-{SOCKET}}}:{SOCKET}",
        *(f"      - {_volume(node)}:{_SECRETS}/{node.name}" for node in plan.nodes),
        "",
    ]
    return "\n".join(lines)


def kernel_environment(plan: Plan) -> list[str]:
    """Returns what a kernel is told of the broker."""
    return [
        f"      LOGOS_BROKER: {broker_address(plan.topology)}:{CONTAINER_GRPC_PORT}",
        f"      LOGOS_BROKER_SECRET: {_SECRET}/secret",
    ]


def kernel_networks(node: NodePlan) -> list[str]:
    """Returns the network on which a kernel reaches it."""
    if node.networks is None:
        raise ValueError("the plan is not one for containers")
    return [f"      {BROKER}: {{ ipv4_address: {node.networks.broker_kernel} }}"]


def kernel_volumes(node: NodePlan) -> list[str]:
    """Returns the volume with the secret that a kernel shares with it."""
    return [f"      - {_volume(node)}:{_SECRET}:ro"]


def broker_networks(plan: Plan) -> list[str]:
    """Returns the declaration of its network."""
    subnet = broker_network(plan.topology)
    return [
        f"  {BROKER}:",
        "    internal: true",
        f"    ipam: {{ config: [{{ subnet: {subnet} }}] }}",
    ]


def broker_volumes(plan: Plan) -> list[str]:
    """Returns the declarations of its volumes."""
    return [f"  {_volume(node)}: {{}}" for node in plan.nodes]


def _volume(node: NodePlan) -> str:
    """Returns the volume with a node's secret: the broker writes, its kernel alone reads."""
    return f"{BROKER}.{node.name}"


def _description(containers: Mapping[str, Mapping[str, Container]]) -> str:
    lines = ["schema = 1"]
    for node, modules in containers.items():
        for module, container in modules.items():
            lines += ["", f"[nodes.{node}.{module}]"]
            for key in ("service", "image", "volumes", "networks"):
                value = getattr(container, key)
                lines.append(f"{key} = {to_toml(value if isinstance(value, str) else list(value))}")
    return "\n".join(lines) + "\n"
