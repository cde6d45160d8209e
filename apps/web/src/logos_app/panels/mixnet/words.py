"""What the panel says. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from logos.network.v1 import mix_pb2 as pb
from logos_app.panels.mixnet import drops, meter
from logos_app.panels.mixnet.journey import Hop, Journey, Stage
from logos_app.shown import formats, words

_BARE: Final = 0.5
"""From this best guess on, one cannot speak of hiding."""


def sentence(node: str, status: pb.MixGetStatusResponse | None) -> str:
    """How the mix of a node is."""
    if status is None:
        return f"Asking {node} for its mix."
    if status.trouble:
        return f"The mix of {node} passes nothing on: {formats.shown(status.trouble).rstrip('.')}."
    lacking = status.profile.hops - status.pool_size
    if lacking > 0:
        others = words.counted(status.pool_size, "other mix", "other mixes")
        first = f"{words.capital(node)} knows {others}, and a path has {status.profile.hops} hops"
        return f"{first}: {words.counted(lacking, 'more is', 'more are')} needed."
    return f"{hidden(f'A message from {node}', status.anonymity)}"


def hidden(what: str, found: pb.Anonymity) -> str:
    """How well a message is hidden from an observer of every link."""
    if found.best_guess >= _BARE:
        tries = f"{found.best_guess * 100:.0f} of 100 tries"
        return f"{what} is not hidden: someone who sees every link would pick it in {tries}."
    tries = "once in " + words.counted(round(1 / max(found.best_guess, 1e-6)), "try", "tries")
    number = words.spelled(meter.crowd(found.waiting))
    return f"{what} is one of {number}. Someone who sees every link would pick it {tries}."


def rests_on(found: pb.Anonymity) -> str:
    """What the meter rests on."""
    if found.basis == pb.Anonymity.BASIS_OBSERVED:
        return "It rests on what waited at this mix, which is less than its profile promises."
    return "It is what the cover traffic of the profile promises."


def figures(status: pb.MixGetStatusResponse) -> list[tuple[str, str]]:
    """The meter's numbers, each with what it is."""
    found = status.anonymity
    return [
        (f"{found.entropy_bits:.1f} bits", "of entropy"),
        (f"{found.best_guess:.2f}", "best guess"),
        (formats.number(round(found.waiting, 1)), "packets wait beside yours"),
    ]


def facts(status: pb.MixGetStatusResponse) -> list[tuple[str, str, str]]:
    """What the mix does: name, figure, and what that means."""
    counts, number = status.counts, formats.number
    loops = f"{number(counts.loops_sent)} sent, {number(counts.loops_back)} back,"
    loops += f" {number(counts.loops_lost)} lost"
    cover = (
        "Packets to itself, among which yours hide;"
        f" {number(counts.loops_skipped)} were left out, for want of mixes or of message ids."
    )
    passed = (
        f"Of others; {number(counts.delivered)} ended here,"
        f" {number(counts.own_sent)} were of its own."
    )
    lame = status.pool_size - status.usable
    used = (
        f"{number(status.usable)} of them are used; the others lose what they are given."
        if lame
        else "Paths go through all of them alike."
    )
    return [
        (
            "Pool",
            words.counted(status.pool_size, "other mix", "other mixes"),
            used,
        ),
        ("Cover traffic", loops, cover),
        ("Held now", words.counted(status.held, "packet"), "They wait here, in no order."),
        (
            "Budget",
            f"{number(status.ids_left)} left" if status.guarded else "not limited",
            f"Message ids of this epoch of {_long(status.profile.period)}; each packet takes one."
            if status.guarded
            else "Packets carry no proofs here, so anybody may send any number.",
        ),
        ("Passed on", words.counted(counts.forwarded, "packet"), passed),
        (
            "Proofs",
            f"{number(counts.proofs_verified)} held",
            "Each hop asks for one, and learns nothing by it but that its sender may send.",
        ),
    ]


def tap_said(node: str, status: pb.MixGetStatusResponse) -> str:
    """That a tap is on, and how its file is."""
    said = (
        f"A tap writes down when packets of {node} come and leave, and with whom: what somebody"
        " would collect who watches its links. That is for a test network of your own."
    )
    if status.tap_skipped:
        packets = words.counted(status.tap_skipped, "packet is", "packets are")
        said += f" {words.capital(packets)} not in its file."
    if status.tap_trouble:
        said += f" It cannot be written: {formats.shown(status.tap_trouble).rstrip('.')}."
    return said


def cost(profile: pb.MixProfile) -> str:
    """What a profile spends, and how long it takes."""
    way_ms = 2 * profile.hops * profile.mean_delay.ToMilliseconds()
    law = "at a constant rate" if profile.law == pb.MixProfile.LAW_CONSTANT else "at random times"
    return (
        f"A loop of cover every {_long(profile.mean_pause)}, {law}; a request and its answer take"
        f" about {formats.duration(float(way_ms))}."
    )


def hides(profile: pb.MixProfile) -> str:
    """What a profile hides by its own cover alone."""
    waiting = meter.expected_waiting(profile)
    number = meter.crowd(waiting)
    return "hides nothing" if number < 2 else f"one of {words.spelled(number)}, by cover alone"


def is_weaker(profile: pb.MixProfile, present: pb.MixProfile) -> bool:
    """Whether a profile hides less than the present one."""
    return meter.expected_waiting(profile) < meter.expected_waiting(present)


def change(profile: pb.MixProfile, present: pb.MixProfile, node: str) -> str:
    """What becomes of a node by another profile."""
    pause, now = profile.mean_pause.ToMilliseconds(), present.mean_pause.ToMilliseconds()
    spends = "It spends as much as now"
    if 0 < pause < now:
        spends = f"It spends {formats.number(round(now / pause, 1))} times as much as now"
    elif pause > now > 0:
        spends = f"It spends {formats.number(round(pause / now, 1))} times less than now"
    less = "hides less" if is_weaker(profile, present) else "hides at least as much"
    return f"{spends}, and {less}. {cost(profile)} It holds on {node} also after a restart."


def _long(duration: object) -> str:
    return formats.duration(float(duration.ToMilliseconds()))  # type: ignore[attr-defined]


def hop_said(hop: Hop, *, is_over: bool) -> str:
    """What a hop does with the packet."""
    drawn = f"{formats.duration(hop.drawn_ms)} drawn" if hop.drawn_ms else ""
    match hop.stage:
        case Stage.UNKNOWN:
            return "no node of this testnet: what it does is not known here"
        case Stage.AWAITED:
            return "nothing was seen here" if is_over else "waits for the packet"
        case Stage.HELD:
            return f"holds it, {drawn}" if drawn else "has it"
        case Stage.FORWARDED:
            held = (
                f"held it {formats.duration(hop.held_ms)}" if hop.held_ms is not None else "had it"
            )
            return f"{held}, {drawn}, and passed it on" if drawn else f"{held}, and passed it on"
        case Stage.DELIVERED:
            return "the answer has arrived" if hop.is_back else "the request has arrived"
        case Stage.DROPPED:
            return f"dropped it. {drops.why(hop.why)}"


def way_said(journey: Journey | None, node: str) -> str:
    """How the last request is doing."""
    if journey is None:
        return "Nothing was sent from this page yet."
    there = f"from {node} to {journey.destination}"
    if journey.problem is not None:
        return f"The request {there} was not answered."
    if journey.round_trip_ms is not None and journey.under_way_ms is not None:
        whole = formats.duration(float(journey.round_trip_ms))
        moving = formats.duration(float(journey.under_way_ms))
        hops = f"{words.spelled(len(journey.forward))} hops there"
        hops += f" and {words.spelled(len(journey.back))} back"
        return f"The answer came back after {whole}, {moving} of it under way, over {hops}."
    if journey.departed_ms:
        return f"A request {there} is under way."
    if journey.hops:
        return f"A request {there} waits to leave. Only {node} knows its whole path."
    return f"A request {there} is being wrapped."


def hop_name(hop: Hop) -> str:
    """How a hop is called."""
    return hop.node or formats.short_id(hop.peer_id)


def names_by_peer(nodes: Sequence[object]) -> Mapping[str, str]:
    """Names of the nodes of this testnet by their peer ids."""
    found = {getattr(node, "peer_id", ""): getattr(node, "name", "") for node in nodes}
    found.pop("", None)
    return found
