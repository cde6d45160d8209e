"""What the panel Explorer says of the chain. Pure."""

from typing import Final

from logos.chain.v1 import chain_pb2 as pb
from logos_app.nodes.reading import milliseconds
from logos_app.panels.chain.seen import ChainSeen
from logos_app.panels.chain.words import tokens
from logos_app.shown import formats, words

LATE: Final = 10
"""So many times the wanted time between two blocks without one is said."""
_MISSES: Final = {
    "ALREADY_PROPOSED": "a block of it was signed before",
    "EPOCH_CHANGED": "the chain that won it was left",
    "NOT_ONLINE": "the node still compares chains",
    "NOT_STORED": "the disk did not take what must be there first",
    "NOTE_SPENT": "its note was spent",
    "NO_VOUCHER": "the wallet had no voucher",
    "PARENT_GONE": "the block below it left the chain",
    "PROOF_FAILED": "its proof failed",
    "REFUSED": "the node did not take its own block",
    "SWITCHED_OFF": "leading was switched off",
    "TOO_LATE": "its proof came too late",
}


def sentence(node: str, seen: ChainSeen, now_ms: int) -> str:
    """How the chain stands at a node."""
    info, tip = seen.info, seen.tip
    if info is None or tip is None:
        return f"How the chain stands at {node} is not known yet."
    height = formats.number(tip.height)
    if info.phase == pb.PHASE_DOWNLOADING:
        return f"{words.capital(node)} downloads the chain, and has come to block {height}."
    if info.phase == pb.PHASE_PROLONGED:
        text = f"{words.capital(node)} has come to block {height}, and compares chains"
        return f"{text} before any more become final."
    leads = f", and {node} leads" if info.leading.is_leading else ""
    final = f"all up to {formats.number(seen.final)} are final"
    if seen.final == tip.height:
        final = "all are final"
    elif seen.final == 0:
        final = "none after the first is final yet"
    joint = ", " if leads else ", and "
    return f"Block {height} is the newest at {node}{joint}{final}{leads}.{_late(seen, now_ms)}"


def _late(seen: ChainSeen, now_ms: int) -> str:
    info = seen.info
    wanted_ms = 0 if info is None else info.slot_ms * info.slots_per_block
    if not seen.tip_ms or not wanted_ms or now_ms - seen.tip_ms <= LATE * wanted_ms:
        return ""
    return f" No block has come for over {formats.about(LATE * wanted_ms)}."


def warnings(node: str, seen: ChainSeen, *, is_isolated: bool) -> list[str]:
    """What is not as it should be: each leaves with its condition."""
    found = []
    if is_isolated:
        found.append(f"{node} is isolated: it hears of no block but its own. Heal it.")
    if seen.info is not None and seen.info.diverged_peers:
        peers = words.capital(words.counted(seen.info.diverged_peers, "peer"))
        verb = "has" if seen.info.diverged_peers == 1 else "have"
        found.append(
            f"{peers} of {node} {verb} a chain that left this one before its newest final block:"
            " the network was split for longer than blocks take to become final. The side that"
            " gives way starts over: logosctl chain bootstrap --from-genesis."
        )
    if seen.info is not None and seen.info.is_insecure:
        found.append("INSECURE: all secrets of this chain's genesis follow from a seed.")
    return found


def replaced_said(seen: ChainSeen) -> str:
    """That blocks have left the chain; nothing if none have of late."""
    if seen.replaced is None:
        return ""
    count = seen.replaced.count
    verb = "has" if count == 1 else "have"
    return f"{words.capital(words.counted(count, 'block'))} {verb} left the chain for others."


def below_tip(seen: ChainSeen) -> str:
    """How far below the newest block the newest final one is."""
    return "?" if seen.tip is None else formats.number(max(seen.tip.height - seen.final, 0))


def download_said(seen: ChainSeen) -> str:
    """How far the download is, in slots; nothing if there is none."""
    info = seen.info
    if info is None or seen.tip is None or info.phase != pb.PHASE_DOWNLOADING:
        return ""
    blocks = f"{words.counted(info.downloaded_blocks, 'block')} downloaded since the node started"
    if not info.download_target_slot:
        return f"{words.capital(blocks)}; how many are missing is not known yet."
    part = formats.percent(seen.tip.slot, info.download_target_slot)
    slots = f"slot {formats.number(seen.tip.slot)} of {formats.number(info.download_target_slot)}"
    return f"{words.capital(blocks)}: {slots}, {part}."


def facts(seen: ChainSeen) -> list[tuple[str, str]]:
    """What else is known of the chain, each with its name."""
    info, supply = seen.info, seen.supply
    if info is None:
        return []
    every = formats.duration(info.slot_ms * info.slots_per_block)
    slots = f"{formats.number(info.slots_per_block)} slots of {formats.duration(info.slot_ms)}"
    return [
        ("Chain", formats.shown(info.chain_id)),
        ("A block is wanted", f"every {every}, in one of {slots}"),
        ("A block is final", f"after {words.counted(info.finality_blocks, 'more block')}"),
        ("Epoch", _epoch_said(info)),
        ("Stake that takes part", f"{tokens(info.epoch.total_stake)}, estimated"),
        ("Leading", leading_said(info.leading)),
        *([] if supply is None else _supply_said(supply)),
    ]


def _epoch_said(info: pb.GetInfoResponse) -> str:
    epoch = info.epoch
    first, last = formats.number(epoch.first_slot), formats.number(max(epoch.end_slot - 1, 0))
    return f"{formats.number(epoch.number)}, slots {first} to {last}"


def _supply_said(supply: pb.GetSupplyResponse) -> list[tuple[str, str]]:
    free = f"{tokens(supply.free)} to spend, {formats.number(supply.locked)} locked"
    rest = f"{formats.number(supply.in_channels)} in channels"
    rewards = f"{formats.number(supply.pool + supply.pending)} as rewards to come"
    genesis = f"{formats.number(supply.genesis)} of the genesis"
    return [
        ("Where all tokens are", f"{free}, {rest}, {rewards}"),
        ("Fees that are gone", tokens(supply.burned)),
        ("New since the genesis", f"{tokens(supply.emitted)}, to {genesis}"),
    ]


def leading_said(leading: pb.GetInfoResponse.Leading) -> str:
    """Whether a node leads, and what became of the slots that it has won."""
    standing = formats.shown(leading.standing) or "not known yet"
    if not leading.won:
        return f"{standing}; it has won no slot since its start"
    won = f"of {words.counted(leading.won, 'slot')} won since its start"
    made = f"{words.spelled(leading.proposed)} got a block"
    missed = ""
    if leading.missed:
        why = _MISSES.get(leading.last_miss, formats.shown(leading.last_miss))
        missed = f", {words.spelled(leading.missed)} did not, the last since {why}"
    return f"{standing}; {won} {made}{missed}"


def block_sentence(block: pb.GetBlockResponse, seen: ChainSeen) -> str:
    """What a block is."""
    summary = block.summary
    what = f"Block {formats.number(summary.point.height)} has"
    count = words.counted(summary.transactions, "transaction")
    if not summary.is_on_chain:
        return f"{what} {count}, and is not on the chain: another one was built on."
    if seen.is_final(summary):
        return f"{what} {count}, and is final."
    confirmations = words.counted(block.confirmations, "confirmation")
    return f"{what} {count}, and {confirmations}."


def block_state(summary: pb.BlockSummary, seen: ChainSeen) -> str:
    """The state of a block in a word."""
    if not summary.is_on_chain:
        return "not on the chain"
    return "final" if seen.is_final(summary) else "on the chain"


def time_ms(summary: pb.BlockSummary) -> int:
    """When a block's slot began."""
    return milliseconds(summary.time)
