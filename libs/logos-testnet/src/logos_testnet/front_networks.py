"""The networks of the front doors, as the engine has them (ADR 30)."""

from typing import Final

from logos_testnet.engine import run_docker
from logos_testnet.errors import NetworkOutdatedError
from logos_testnet.plan import Plan

MASQUERADE: Final = "com.docker.network.bridge.enable_ip_masquerade"
"""Option of a bridge; `false`: its containers have no way out."""
_SHOW: Final = f'{{{{index .Options "{MASQUERADE}"}}}}'


async def refuse_way_out(plan: Plan, project: str) -> None:
    """Refuses networks that were made before a module of theirs had a page.

    Compose would leave them as they are, and the module would have a way out.

    Raises:
        NetworkOutdatedError: There are such.
        EngineError: The engine cannot say.
    """
    wanted = {
        f"{project}_{node.name}-front"
        for node in plan.nodes
        if any(module.front_address for module in node.modules)
    }
    if not wanted:
        return
    label = f"label=com.docker.compose.project={project}"
    listed = await run_docker(["network", "ls", "--format", "{{.Name}}", "--filter", label])
    outdated = [
        name
        for name in sorted(wanted.intersection(listed.split()))
        if (await run_docker(["network", "inspect", "--format", _SHOW, name])).strip() != "false"
    ]
    if outdated:
        raise NetworkOutdatedError(
            f"{', '.join(outdated)}: made before a module there had a page, and with a way out;"
            f" `./logos down` removes them and keeps all state, then `./logos up` again"
        )
