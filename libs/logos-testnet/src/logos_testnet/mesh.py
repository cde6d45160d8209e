"""The network between the nodes of a testnet of containers, as the engine has it."""

from collections.abc import Collection
from dataclasses import dataclass

from logos_base.needs import MESH
from logos_testnet.compose import service_name
from logos_testnet.engine import run_docker
from logos_testnet.plan import NodePlan, Plan

_NETWORKS = "{{range $name, $each := .NetworkSettings.Networks}}{{$name}} {{end}}"


@dataclass(frozen=True, slots=True)
class Mesh:
    """Takes containers off the network between nodes, and puts them back: EngineError."""

    plan: Plan
    project: str

    async def leave(self, node: NodePlan) -> None:
        """Takes a node's containers off it. Idempotent."""
        for service in _services(node):
            container = self._container(service)
            if await self._is_on(container):
                await run_docker(["network", "disconnect", self._name, container])

    async def join(self, node: NodePlan) -> None:
        """Puts a node's containers back, at the address that others know. Idempotent."""
        if node.networks is None:
            raise ValueError("the plan is not one for containers")
        place = ["--ip", str(node.networks.mesh)]
        for service in _services(node):
            container = self._container(service)
            if not await self._is_on(container):
                words = ["network", "connect", *place, "--alias", service, self._name, container]
                await run_docker(words)

    async def absent(self, running: Collection[str]) -> frozenset[str]:
        """Returns the nodes of which a container runs that is not on it.

        Args:
            running: The services that run.
        """
        found = set()
        for node in self.plan.nodes:
            for service in _services(node):
                if service in running and not await self._is_on(self._container(service)):
                    found.add(node.name)
        return frozenset(found)

    @property
    def _name(self) -> str:
        return f"{self.project}_{MESH}"

    def _container(self, service: str) -> str:
        return f"{self.project}-{service}-1"

    async def _is_on(self, container: str) -> bool:
        listed = await run_docker(
            ["inspect", "--type", "container", "--format", _NETWORKS, container]
        )
        return self._name in listed.split()


def _services(node: NodePlan) -> list[str]:
    """Returns the services of a node that are on the network between nodes."""
    on_mesh = (module.name for module in node.modules if module.manifest.needs.is_on_mesh)
    return [service_name(node.name, name) for name in on_mesh]
