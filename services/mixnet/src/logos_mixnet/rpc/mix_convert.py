"""Requests of `logos.network.v1.Mix` to what the mix is asked, and answers back."""

from typing import Final

from logos.network.v1 import mix_pb2 as pb
from logos_mixnet.core.addresses import parse_address
from logos_mixnet.core.errors import InvalidAddressError
from logos_mixnet.core.identity import parse_peer_id
from logos_mixnet.core.mixing.anonymity import Floor, Statement
from logos_mixnet.core.mixing.cover import PROFILES, Profile
from logos_mixnet.core.mixing.delays import MAX_MEAN_MS
from logos_mixnet.core.mixing.errors import (
    InvalidDelayError,
    InvalidProfileError,
    InvalidRedundancyError,
    InvalidReplyBlocksError,
    InvalidTagError,
)
from logos_mixnet.core.mixing.pool import Mix, Pool
from logos_mixnet.core.mixing.relay import Step, Traced
from logos_mixnet.core.mixing.tags import TAG_BYTES
from logos_mixnet.core.sphinx.address_block import MixAddress
from logos_mixnet.core.sphinx.errors import AddressBlockError
from logos_mixnet.core.sphinx.geometry import HERE
from logos_mixnet.core.sphinx.message import MAX_SURBS
from logos_mixnet.operations.mix_calls import Hidden, Parcel
from logos_mixnet.operations.mixing import Mixing

MAX_REDUNDANCY: Final = 5
MAX_TAGS: Final = 16
MAX_WAIT_MS: Final = 10_000
MAX_TRACE_S: Final = 300.0
REPLY_BLOCKS: Final = 2

_STEPS: Final = {
    Step.HELD: pb.TraceResponse.STEP_HELD,
    Step.FORWARDED: pb.TraceResponse.STEP_FORWARDED,
    Step.DELIVERED: pb.TraceResponse.STEP_DELIVERED,
    Step.DROPPED: pb.TraceResponse.STEP_DROPPED,
}


def mean_delay_of(route: pb.Route, default_ms: int) -> int:
    """Reads the mean delay of a route, in milliseconds; raises `InvalidDelayError`."""
    if not route.HasField("mean_delay"):
        return default_ms
    mean_ms = route.mean_delay.ToMilliseconds()
    if not 1 <= mean_ms <= MAX_MEAN_MS:
        raise InvalidDelayError(
            f"a mean delay is 1 ms to {MAX_MEAN_MS:,} ms", field="route.mean_delay"
        )
    return mean_ms


def wait_of(request: pb.MixPingRequest) -> int:
    """Reads the wait of a ping, in milliseconds; raises `InvalidDelayError`."""
    wait_ms = request.wait.ToMilliseconds()
    if not 0 <= wait_ms <= MAX_WAIT_MS:
        raise InvalidDelayError(f"a ping waits up to {MAX_WAIT_MS:,} ms", field="wait")
    return wait_ms


def parcel_of(route: pb.Route, codec: str, content: bytes, default_ms: int) -> Parcel:
    """Reads a message and its route.

    Raises:
        InvalidPeerIdError, InvalidDelayError, InvalidRedundancyError, InvalidAddressError,
        AddressUnsuitableError
    """
    if route.redundancy > MAX_REDUNDANCY:
        raise InvalidRedundancyError(f"a message is sent once to {MAX_REDUNDANCY} times")
    return Parcel(
        parse_peer_id(route.destination, field="route.destination"),
        codec,
        content,
        mean_delay_of(route, default_ms),
        route.redundancy or 1,
        _handed_to(route),
        floor_of(route),
    )


def floor_of(route: pb.Route) -> Floor:
    """Reads the anonymity that a route demands."""
    return Floor(route.floor_bits, is_firm=route.below_floor == pb.FLOOR_ACTION_REFUSE)


def _handed_to(route: pb.Route) -> bytes:
    """Reads the address block of a node that need not be a mix; zeros if there is none."""
    if not route.hand_over_to:
        return HERE
    address = parse_address(route.hand_over_to)
    if address.peer_id != route.destination:
        raise InvalidAddressError("it names another node than the destination does")
    return MixAddress.of(address).encode()


def reply_blocks_of(request: pb.RequestRequest) -> int:
    """Reads the number of reply blocks; raises `InvalidReplyBlocksError`."""
    blocks = request.reply_blocks or REPLY_BLOCKS
    if blocks > MAX_SURBS:
        raise InvalidReplyBlocksError(f"a request brings 1 to {MAX_SURBS} reply blocks")
    return blocks


def tags_of(request: pb.TraceRequest) -> list[bytes]:
    """Reads the tags; raises `InvalidTagError`."""
    tags = list(request.tags)
    if not 1 <= len(tags) <= MAX_TAGS or any(len(tag) != TAG_BYTES for tag in tags):
        raise InvalidTagError(f"tags are 1 to {MAX_TAGS}, of {TAG_BYTES} bytes each")
    return tags


def trace_time_of(request: pb.TraceRequest) -> float:
    """Returns for how many seconds packets are watched."""
    asked_s = getattr(request, "for").ToNanoseconds() / 1e9  # a word of Python
    return asked_s if 0 < asked_s <= MAX_TRACE_S else MAX_TRACE_S


def hidden_to_pb(hidden: Hidden) -> pb.Anonymity:
    """Packs what hides a message."""
    return anonymity_to_pb(hidden.stated, is_observed=hidden.is_observed)


def anonymity_to_pb(stated: Statement, *, is_observed: bool) -> pb.Anonymity:
    """Packs what the mix hides."""
    return pb.Anonymity(
        basis=pb.Anonymity.BASIS_OBSERVED if is_observed else pb.Anonymity.BASIS_EXPECTED,
        waiting=stated.waiting,
        entropy_bits=stated.entropy_bits,
        best_guess=stated.best_guess,
        words=stated.words,
    )


def profile_to_pb(profile: Profile) -> pb.MixProfile:
    """Packs a profile."""
    packed = pb.MixProfile(
        name=profile.name,
        limit=profile.limit,
        hops=profile.hops,
        law=pb.MixProfile.Law.Value(f"LAW_{profile.law.name}"),
    )
    packed.period.FromMilliseconds(profile.period_ms)
    packed.mean_delay.FromMilliseconds(profile.mean_delay_ms)
    packed.mean_pause.FromMilliseconds(round(profile.mean_pause_ms))
    return packed


def mix_to_pb(mix: Mix, pool: Pool) -> pb.KnownMix:
    """Packs a mix of the pool."""
    try:
        address = str(MixAddress.decode(mix.hop.address))
    except AddressBlockError:
        address = ""
    return pb.KnownMix(
        peer_id=mix.peer_id,
        address=address,
        public_key=mix.hop.public_key,
        availability=pool.availability(mix.peer_id),
        usable=pool.is_available(mix.peer_id),
    )


def step_to_pb(at_ms: int, traced: Traced) -> pb.TraceResponse:
    """Packs what happened to a watched packet."""
    packed = pb.TraceResponse(tag=traced.tag, step=_STEPS[traced.step], detail=traced.why)
    packed.at.FromMilliseconds(at_ms)
    if traced.step is Step.HELD:
        packed.delay.FromMicroseconds(round(traced.delay_ms * 1000))
    return packed


def check_profile(name: str, known: dict[str, Profile]) -> Profile:
    """Returns the profile of a name; raises `InvalidProfileError`."""
    if name not in known:
        raise InvalidProfileError(f"there is no profile {name[:40]!r}: {', '.join(known)}")
    return known[name]


def status_to_pb(mixing: Mixing, ids_left: int | None) -> pb.MixGetStatusResponse:
    """Packs how a mix does."""
    relay, sender, pool = mixing.relay, mixing.sender, mixing.pool
    stated, is_observed = mixing.anonymity(mixing.profile.mean_delay_ms)
    tap = mixing.tap
    packed = pb.MixGetStatusResponse(
        peer_id=sender.own.peer_id,
        profile=profile_to_pb(mixing.profile),
        profiles=[profile_to_pb(profile) for profile in PROFILES.values()],
        anonymity=anonymity_to_pb(stated, is_observed=is_observed),
        pool_size=len(pool),
        usable=len(pool.usable(mixing.profile.hops)),
        guarded=mixing.is_guarded,
        ids_left=ids_left,
        key_epoch=mixing.keys.newest.epoch,
        held=relay.held,
        queued_bytes=sender.outbox.queued_bytes,
        trouble=relay.trouble,
        counts=_counts_to_pb(mixing),
        awaited=mixing.deliveries.awaited,
        tapped=tap is not None,
        tap_skipped=0 if tap is None else tap.skipped,
        tap_trouble="" if tap is None else tap.trouble,
        cut_off=sender.is_cut_off,
    )
    packed.key_ends_at.FromMilliseconds(mixing.keys.ends_ms)
    return packed


def _counts_to_pb(mixing: Mixing) -> pb.MixCounts:
    relay, sender = mixing.relay, mixing.sender
    return pb.MixCounts(
        forwarded=relay.forwarded,
        delivered=relay.delivered,
        dropped=relay.dropped + mixing.deliveries.dropped,
        loops_sent=sender.loops_sent,
        loops_back=sender.loops_back,
        loops_lost=sender.loops_lost,
        loops_skipped=sender.loops_skipped,
        own_sent=sender.outbox.sent,
        proofs_verified=relay.verified,
    )
