"""Why mixes drop packets, in words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_WORDS: Final = {
    "MIX_PACKET_REPEATED": "It was here before: a copy, or a replay.",
    "MIX_RELAY_BUSY": "More were held than there is room for.",
    "MIX_RELAY_STOPPED": "The mix could not write down what it has seen, so it passed nothing on.",
    "MIX_TAGS_FULL": "As many came for the present key as are remembered.",
    "MIX_PACKET_SIZE": "It had another size than all packets have.",
    "MIX_PACKET_POINT": "Its public value was no usable one.",
    "MIX_HEADER_FORGED": "Its header was damaged, forged, or for another key.",
    "MIX_ROUTING_BLOCK": "It did not say clearly whether this was the last hop.",
    "MIX_PAYLOAD_DAMAGED": "What it carried was changed on its way.",
    "MIX_ADDRESS_BLOCK": "It named no address to go to.",
    "MIX_MESSAGE": "It arrived whole, and held no message.",
    "MIX_FRAGMENT": "It was a piece that fits no message.",
    "MIX_REPLY_UNKNOWN": "It answered nothing that was asked here, or too late.",
    "MIX_FRAME_LENGTH": "It was no packet of this network.",
    "MIX_LINK_DOWN": "The next mix could not be reached.",
    "MIX_NOBODY_LISTENS": "It arrived, and nobody here listens for its kind.",
    "MIX_LISTENER_FULL": "It arrived, and who listens was too slow.",
    "MIX_COPY": "It arrived before, over another path.",
    "MIX_EXIT_REFUSED": "It was for a node that is no mix, and this one hands nothing over.",
    "MIX_HAND_OVER_TIMEOUT": "The node that it was for did not answer in time.",
    "RLN_BUDGET_SPENT": "No message id was left for it in this epoch.",
    "RLN_TOO_MANY_WAITING": "As many wait for a message id as may.",
    "RLN_PROOF_MALFORMED": "It carried no proof, or one that cannot be read.",
    "RLN_PROOF_LATE": "Its proof was ready too late to send it on: this machine was too busy.",
    "RLN_EPOCH_TOO_FAR": "Its proof was made too long ago, or by a clock that is ahead.",
    "ROOT_UNKNOWN": "Its proof was for members that are not known here.",
    "PROOF_INVALID": "Its proof did not hold.",
    "SIGNAL_MISMATCH": "Its proof was made for another packet.",
    "EXTERNAL_NULLIFIER_MISMATCH": "Its proof was made for another time, or another network.",
    "RLN_PROOF_REPEATED": "Its proof was seen before.",
    "RLN_MESSAGE_ID_REUSED": "Its sender has sent more than it may, and gave itself away by that.",
    "RLN_VERIFIER_BUSY": "As many proofs are being verified as may be.",
    "RLN_NULLIFIER_LOG_FULL": "More proofs came in this epoch than all members can make.",
}


@dataclass(frozen=True, slots=True)
class Drop:
    """Packets that were dropped for one reason."""

    count: int
    why: str
    reason: str


def why(reason: str) -> str:
    """The sentence for a reason."""
    return _WORDS.get(reason, "It broke a rule that this app has no words for.")


def drops(counts: Mapping[str, int]) -> list[Drop]:
    """What was dropped, most first."""
    found = [Drop(count, why(reason), reason[:80]) for reason, count in counts.items() if count]
    return sorted(found, key=lambda drop: (-drop.count, drop.reason))
