"""The module's status text, as `logosctl module list` shows it."""

import asyncio
from collections.abc import Callable
from typing import Final

from logos_chain.core.consensus.starting import Phase
from logos_chain.operations.information import Information

LOOK_S: Final = 2.0

_PHASES: Final = {
    Phase.STOPPED: "it joins the network",
    Phase.DOWNLOADING: "it downloads the chain",
    Phase.PROLONGED: "it compares chains",
}


async def tell(information: Information, status: Callable[[str], None]) -> None:
    """Sets the status text whenever it changes, until cancelled."""
    last = ""
    while True:
        text = said(information)
        if text != last:
            last = text
            status(text)
        await asyncio.sleep(LOOK_S)


def said(information: Information) -> str:
    """Returns where the node stands, e.g. `block 12, final 8`."""
    found = information.now()
    mark = "INSECURE, " if found.spec.is_insecure else ""
    if found.phase in {Phase.STOPPED, Phase.DOWNLOADING}:
        return f"{mark}{_PHASES[found.phase]}: block {found.tip.height}"
    phase = _PHASES.get(found.phase)
    where = f"block {found.tip.height}, final {found.final.height}"
    return f"{mark}{where}" if phase is None else f"{mark}{where}; {phase}"
