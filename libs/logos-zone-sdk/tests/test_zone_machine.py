"""Sequencers on a chain that changes at random: what is final has each payload once, in order.

Acceptance 6: reorganisations, lost submissions, restarts at every point, up to three sequencers.
"""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from zone_sequencers import SLOT_MS, Runner, World

from logos_mantle.channels import ChannelConfig, message_id
from logos_zone_sdk.core.events import Adopted, Finalized, Orphaned
from zone_chain import CHANNEL, Chain, Message, State, configured, key_of

KEYS = tuple(key_of(each) for each in ("alice", "bob", "carol"))
SHAPES = (
    (1, State()),
    (1, configured(*KEYS[:1])),
    (2, configured(*KEYS[:2], timeframe=3)),
    (2, configured(*KEYS[:2], timeout=4)),
    (3, configured(*KEYS, timeframe=2, timeout=5)),
    (3, configured(*KEYS, timeframe=1)),
)
WHO = st.integers(0, 2)


class Sequencers(RuleBasedStateMachine):
    """Any message that was ever submitted may be in any block that takes it."""

    @initialize(shape=st.sampled_from(SHAPES))
    def begin(self, shape: tuple[int, State]) -> None:
        count, start = shape
        self.world = World(Chain(start=start))
        self.runners = [Runner(self.world, key) for key in KEYS[:count]]
        self.published: dict[bytes, list[bytes]] = {key: [] for key in KEYS}
        self.configurations = 0
        self.has_restarted = False

    def one(self, who: int) -> Runner:
        return self.runners[who % len(self.runners)]

    def wanted(self, salt: int) -> Any:
        """Which messages a block has: half of them."""
        return lambda each: (message_id(each)[0] ^ salt) & 1 == 0

    @rule(who=WHO, repeats=st.booleans())
    def publish(self, who: int, *, repeats: bool) -> None:
        runner = self.one(who)
        mine = self.published[runner.key]
        payload = b"again" if repeats else b"%d %d" % (who % len(self.runners), len(mine))
        mine.append(payload)
        runner.publish(payload)

    @rule(who=WHO, most=st.sampled_from([1, 2, 100]), moves=st.sampled_from([None, None, 1]))
    def hear(self, who: int, most: int, moves: int | None) -> None:
        self.one(who).hear(most, moves)

    @rule(salt=st.integers(0, 255), slots=st.integers(1, 6), everything=st.booleans())
    def grow(self, salt: int, slots: int, *, everything: bool) -> None:
        self.world.chain.grow(1, self.all if everything else self.wanted(salt), slots)
        self.world.catch_up_time()

    @rule(depth=st.integers(1, 4), salt=st.integers(0, 255), slots=st.integers(1, 3))
    def reorganise(self, depth: int, salt: int, slots: int) -> None:
        self.world.chain.reorganise(depth, self.wanted(salt), slots)
        self.world.catch_up_time()

    @rule(weather=st.sampled_from(["taken", "refused", "lost"]))
    def turn_weather(self, weather: str) -> None:
        self.world.weather = weather

    @rule(who=WHO, seconds=st.sampled_from([1, 5, 30]))
    def wait(self, who: int, seconds: int) -> None:
        self.world.now_ms += seconds * 1000
        self.one(who).wake()

    @rule(who=WHO, is_rewound=st.booleans())
    def disconnect(self, who: int, *, is_rewound: bool) -> None:
        self.one(who).disconnect(is_rewound=is_rewound)

    @rule(who=WHO, back=st.integers(0, 5))
    def restart(self, who: int, back: int) -> None:
        self.one(who).restart(back)
        self.has_restarted = True

    @rule()
    def configure(self) -> None:
        """The same keys again, under other rules."""
        state = self.world.chain.tip.state
        if state.keys and self.configurations < 2:
            self.configurations += 1
            threshold = 1 + self.configurations
            rules = (state.timeframe, state.timeout, 1, threshold)
            self.world.chain.submit(ChannelConfig(CHANNEL, state.keys, *rules))

    @invariant()
    def no_payload_is_on_the_chain_twice(self) -> None:
        self.check(self.world.chain.tip.payloads(), is_whole=False)

    @staticmethod
    def all(_: Message) -> bool:
        return True

    def check(self, found: list[tuple[bytes, bytes]], *, is_whole: bool) -> None:
        for runner in self.runners:
            mine = [payload for signer, payload in found if signer == runner.key]
            wanted = self.published[runner.key]
            assert mine == (wanted if is_whole else wanted[: len(mine)])

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        chain, self.world.weather = self.world.chain, "taken"
        for _ in range(400):
            self.world.now_ms = max(self.world.now_ms, chain.tip.point.slot * SLOT_MS) + 1000
            for runner in self.runners:
                runner.wake()
                runner.hear()
            behind = self.world.now_ms // SLOT_MS - chain.tip.point.slot
            chain.grow(1, self.all, max(1, behind))
            if not any(runner.machine.checkpoint.pending for runner in self.runners):
                break
        self.check(chain.final.payloads(), is_whole=True)
        for runner in self.runners:
            self.check_events(runner)

    def check_events(self, runner: Runner) -> None:
        """Each once: adopted and orphaned by turns, final in the order of the channel."""
        if self.has_restarted:
            return
        final = [one for each in runner.said(Finalized) for one in each.messages]
        assert [each.number for each in final if each.number is not None] == list(
            range(len(self.published[runner.key]))
        )
        assert len({each.id for each in final}) == len(final)
        adopted: list[bytes] = []
        for each in runner.events:
            if isinstance(each, Adopted):
                assert each.message.id not in adopted
                adopted.append(each.message.id)
            elif isinstance(each, Orphaned):
                assert adopted.pop() == each.message
        foreign = [each.id for each in final if each.number is None]
        assert foreign == adopted[: len(foreign)]


TestSequencers = Sequencers.TestCase
TestSequencers.settings = settings(
    max_examples=150,
    stateful_step_count=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
