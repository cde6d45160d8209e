"""Where the chains of the nodes end, beside one another: labels of the map. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from logos_app.nodes.model import NodeSeen, Tip
from logos_app.shown import formats, words

PULSE_MS: Final = 2_000
"""For how long a block that has arrived is drawn."""
SETTLE_MS: Final = 5_000
"""A block reaches all nodes within seconds: being one block apart is said after this time."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the map says of a node's chain; nothing of a node that has none."""

    height: str = ""
    trouble: str = ""
    """What is not as at the other nodes, in words."""
    pulse: str = ""
    """A name of the block that has just arrived, by which a page draws it once."""

    @property
    def said(self) -> str:
        """The sentence for a tooltip."""
        if not self.height:
            return ""
        return f"Block {self.height} is its newest{f': {self.trouble}' if self.trouble else ''}."


def standings(nodes: Sequence[NodeSeen], now_ms: int) -> list[Standing]:
    """One for each node, compared with the longest chain; of equal ones that of most nodes."""
    longest = _longest(nodes)
    return [_standing(node, longest, now_ms) for node in nodes]


def _longest(nodes: Sequence[NodeSeen]) -> Tip | None:
    tips = [node.tip for node in nodes if node.answers and node.tip and node.tip.is_followed]
    holders = Counter(tip.ids[0] for tip in tips)
    return max(tips, key=lambda tip: (tip.height, holders[tip.ids[0]]), default=None)


def _standing(node: NodeSeen, longest: Tip | None, now_ms: int) -> Standing:
    tip = node.tip
    if tip is None:
        return Standing()
    height = formats.number(tip.height)
    if not node.answers or not tip.is_followed:
        return Standing(height, "not followed now")
    is_new = bool(tip.arrived_ms) and now_ms - tip.arrived_ms < PULSE_MS
    pulse = tip.ids[0].hex()[:16] if is_new else ""
    return Standing(height, _trouble(tip, longest or tip, now_ms), pulse)


def _trouble(tip: Tip, longest: Tip, now_ms: int) -> str:
    behind = longest.height - tip.height
    if behind < len(longest.ids) and longest.ids[behind] == tip.ids[0]:
        said, blocks = f"{words.counted(behind, 'block')} behind", behind
    elif behind >= len(longest.ids):  # too far to tell of which chain it is
        return f"{formats.number(behind)} blocks behind"
    else:
        said, blocks = _forked(tip, longest)
    is_settled = now_ms - max(tip.arrived_ms, longest.arrived_ms) >= SETTLE_MS
    return said if blocks > 1 or (blocks and is_settled) else ""


def _forked(tip: Tip, longest: Tip) -> tuple[str, int]:
    """What is said of a tip on another chain, and how many of its blocks the longest has not."""
    places = {each: place for place, each in enumerate(longest.ids)}
    own = next((place for place, each in enumerate(tip.ids) if each in places), None)
    if own is None:
        return "on another fork", len(tip.ids)
    return f"on another fork since block {formats.number(tip.height - own + 1)}", own
