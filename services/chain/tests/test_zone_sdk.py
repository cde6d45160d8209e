"""The zone SDK beside the real ledger: its turns, and the chain that its own tests rest on."""

from chain_ledger import CHANNEL, KEYS, Chain, genesis
from hypothesis import given, settings
from hypothesis import strategies as st

from logos_chain.core.ledger.channels import turn_at as ledgers_turn
from logos_chain.core.ledger.ledger import Applied
from logos_chain.core.ledger.types import Channel
from logos_mantle.channels import ChannelConfig, ChannelInscribe
from logos_mantle.octets import ZERO
from logos_zone_sdk.core.turns import ChannelView, turn_at
from zone_chain import State

SLOTS = st.integers(0, 9)
STEPS = st.lists(
    st.tuples(st.sampled_from(["inscribe", "inscribe", "astray", "configure"]), SLOTS, SLOTS),
    max_size=12,
)


def view_of(channel: Channel) -> ChannelView:
    return ChannelView(
        channel.keys,
        channel.tip,
        channel.tip_slot,
        channel.sequencer,
        channel.sequencer_since_slot,
        channel.posting_timeframe_slots,
        channel.posting_timeout_slots,
        bytes(32),
    )


@settings(max_examples=60)
@given(STEPS, st.integers(0, 4), st.integers(0, 4))
def test_the_ledger_takes_what_the_chain_of_the_sdks_tests_takes(
    steps: list[tuple[str, int, int]], timeframe: int, timeout: int
) -> None:
    """ZON-9, LED-14 to LED-16."""
    chain, state = Chain(genesis=genesis((1_000_000,) * 16)), State()
    for number, (kind, signer, slots) in enumerate(steps):
        key, slot = KEYS[signer % 3], chain.slot + 1 + slots
        parent = bytes([number + 1] * 32) if kind == "astray" else state.tip
        message = (
            ChannelConfig(CHANNEL, KEYS[:3], timeframe, timeout, 1, 1 + number)
            if kind == "configure"
            else ChannelInscribe(CHANNEL, b"%d" % number, parent, key)
        )
        signatures = (int(bool(state.keys)),)
        applied = chain.block(chain.paid(message, signatures=signatures), slot=slot)
        after = state.after(message, slot)

        assert isinstance(applied, Applied) == (after is not None)
        state = after or state
        channel = chain.ledger.channel(CHANNEL)
        assert (channel is None) == (not state.keys)
        if channel is not None:
            assert (channel.tip, channel.keys) == (state.tip, state.keys)
            for later in range(channel.tip_slot, channel.tip_slot + 20):
                assert turn_at(view_of(channel), later) == ledgers_turn(channel, later)[0]
                assert turn_at(view_of(channel), later) == state.turn(later)[0]
    assert state.tip != ZERO or not state.keys
