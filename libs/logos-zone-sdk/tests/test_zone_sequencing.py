"""One sequencer's machine, rule by rule: ZON-2 to ZON-12."""

import pytest
from zone_sequencers import CLOCK, Runner, World

from logos_mantle.channels import ChannelConfig, ChannelInscribe, message_id
from logos_mantle.limits import MAX_INSCRIPTION_BYTES
from logos_zone_sdk.core import errors
from logos_zone_sdk.core.events import (
    Adopted,
    Built,
    Finalized,
    Included,
    Orphaned,
    Published,
    Ready,
)
from logos_zone_sdk.core.messages import ChainMove
from logos_zone_sdk.core.places import MAX_PENDING, Checkpoint
from logos_zone_sdk.core.sequencing import RESUBMIT_MS, RETRY_MS, SequencerMachine
from zone_chain import CHANNEL, Chain, Message, configured, key_of

ALICE, BOB = key_of("alice"), key_of("bob")


def world(**changes: object) -> World:
    return World(Chain(**changes))  # type: ignore[arg-type]


def none(_: Message) -> bool:
    return False


def payloads(chain: Chain) -> list[bytes]:
    return [payload for _, payload in chain.tip.payloads()]


def test_payloads_become_a_chain_of_messages_and_final_in_order() -> None:
    """ZON-4, ZON-5, ZON-10."""
    here = world()
    alice = Runner(here, ALICE)
    alice.publish(b"zero")  # before it knows of the chain
    alice.hear()
    assert alice.publish(b"one") == 1
    assert [each.operation.parent for each in alice.submitted] == [
        bytes(32),
        alice.submitted[0].message,
    ]
    for _ in range(6):
        here.chain.grow()
        alice.hear()

    assert payloads(here.chain) == [b"zero", b"one"]
    assert len(alice.said(Ready)) == 1
    assert [each.number for each in alice.said(Published)] == [0, 1]
    assert [each.number for each in alice.said(Included)] == [0, 1]
    final = [one for each in alice.said(Finalized) for one in each.messages]
    assert [each.number for each in final] == [0, 1]
    assert alice.machine.checkpoint.pending == ()
    assert alice.said(Finalized)[-1].checkpoint.last_message == final[-1].id


def test_a_reorganisation_gives_the_same_messages_again_in_order() -> None:
    """ZON-7, ZON-8, ZON-11: no message is orphaned, and none is made anew."""
    here = world()
    alice = Runner(here, ALICE)
    alice.hear()
    for each in (b"a", b"b", b"c"):
        alice.publish(each)
    here.chain.grow(2)
    alice.hear()
    before = list(alice.submitted)
    here.chain.reorganise(2, none)
    alice.hear()

    assert [each.message for each in alice.submitted[len(before) :]] == [
        each.message for each in before
    ]
    assert alice.submitted[3:] == before
    assert not alice.said(Orphaned)
    assert not alice.said(Adopted)
    assert len(alice.said(Built)) == 3
    here.chain.grow(6)
    alice.hear()
    assert payloads(here.chain) == [b"a", b"b", b"c"]


def test_the_same_messages_in_other_blocks_are_no_news_but_of_the_block() -> None:
    """ZON-2."""
    here = world(start=configured(ALICE, BOB))
    alice, bob = Runner(here, ALICE), Runner(here, BOB)
    alice.hear()
    bob.hear()
    alice.publish(b"a")
    here.chain.grow(2)
    bob.hear()
    here.chain.reorganise(2)
    bob.hear()
    bob.disconnect(is_rewound=True)
    bob.hear(most=1)

    assert [each.message.payload for each in bob.said(Adopted)] == [b"a"]
    assert not bob.said(Orphaned)


def test_a_message_that_gives_way_is_made_anew_with_all_after_it() -> None:
    """ZON-7: only where another's message has taken the place."""
    here = world(start=configured(ALICE, BOB, timeframe=1))
    here.now_ms = 2000
    alice = Runner(here, ALICE)
    alice.hear()
    alice.publish(b"a")
    alice.publish(b"b")
    here.chain.submit(ChannelInscribe(CHANNEL, b"bob's", here.chain.start.tip, BOB))
    here.chain.grow()  # in slot 1, which is Bob's turn
    alice.hear()

    first, second, *anew = alice.said(Built)
    (adopted,) = alice.said(Adopted)
    assert adopted.message.payload == b"bob's"
    assert [each.replaces for each in anew] == [first.message, second.message]
    assert [each.parent for each in anew] == [adopted.message.id, anew[0].message]
    here.chain.grow(6)
    alice.hear()
    assert payloads(here.chain) == [b"bob's", b"a", b"b"]


def configure(here: World, *keys: bytes) -> bytes:
    """Puts a configuration on the channel in place of messages; returns its id."""
    config = ChannelConfig(CHANNEL, keys, 0, 0, 1, 1)
    here.chain.submit(config)
    here.chain.grow(1, lambda each: each is config)
    return message_id(config)


def test_nothing_is_put_on_a_configuration_that_is_not_final() -> None:
    """ZON-7: it names no parent, and so could come after what it has taken the place of."""
    here = world(start=configured(ALICE))
    alice = Runner(here, ALICE)
    alice.hear()
    alice.publish(b"a")
    config = configure(here, ALICE, BOB)
    alice.hear()
    here.chain.grow(3)
    alice.hear()
    alice.publish(b"b")
    assert len(alice.said(Built)) == 1
    assert alice.machine.next_wake_ms() is None

    here.chain.grow(1)
    alice.hear()
    assert alice.said(Built)[1].parent == config
    here.chain.grow(6)
    alice.hear()
    assert payloads(here.chain) == [b"a", b"b"]


def test_an_earlier_message_that_wins_after_all_is_recognised() -> None:
    """ZON-6, ZON-7: the chain goes back to where the payload was not made anew."""
    here = world(start=configured(ALICE, BOB, timeframe=1))
    here.now_ms = 2000
    alice = Runner(here, ALICE)
    alice.hear()
    alice.publish(b"a")
    earlier = alice.submitted[-1].message
    here.chain.submit(ChannelInscribe(CHANNEL, b"bob's", here.chain.start.tip, BOB))
    here.chain.grow()
    alice.hear()
    assert alice.submitted[-1].message != earlier
    here.chain.reorganise(1, lambda each: message_id(each) == earlier, slots=2)
    alice.hear()

    assert alice.said(Included)[-1].message == earlier
    assert [each.message for each in alice.said(Orphaned)] == [alice.said(Adopted)[0].message.id]
    here.chain.grow(6)
    alice.hear()
    assert payloads(here.chain) == [b"a"]


def test_a_configuration_does_not_join_two_messages_of_a_payload() -> None:
    """ZON-7: it takes the place of a message, gives way to it, and comes after it."""
    here = world(start=configured(ALICE))
    alice = Runner(here, ALICE)
    alice.hear()
    alice.publish(b"a")
    earlier = alice.submitted[-1].message
    configure(here, ALICE, BOB)
    alice.hear()
    here.chain.reorganise(1, lambda each: message_id(each) == earlier)
    alice.hear()
    here.chain.grow(6)
    alice.hear()

    assert payloads(here.chain) == [b"a"]


@pytest.mark.parametrize("weather", ["lost", "refused"])
def test_what_the_node_loses_or_refuses_is_given_again(weather: str) -> None:
    """ZON-8."""
    here = world()
    alice = Runner(here, ALICE)
    alice.hear()
    here.weather = weather
    alice.publish(b"a")
    here.weather = "taken"
    alice.wake()
    assert len(alice.submitted) == 1

    here.now_ms += (RESUBMIT_MS if weather == "lost" else RETRY_MS) - 1
    alice.wake()
    assert len(alice.submitted) == 1
    here.now_ms += 1
    alice.wake()
    assert len(alice.submitted) == 2
    assert alice.submitted[0] == alice.submitted[1]


def test_a_refused_message_holds_up_those_after_it() -> None:
    """ZON-8."""
    here = world()
    alice = Runner(here, ALICE)
    alice.hear()
    here.weather = "refused"
    alice.publish(b"a")
    alice.publish(b"b")

    assert [each.number for each in alice.submitted] == [0]


def test_nothing_is_given_while_the_chain_is_not_known_whole() -> None:
    """ZON-2."""
    here = world()
    here.chain.grow(9)
    alice = Runner(here, ALICE)
    here.chain.grow(9)
    alice.publish(b"a")
    alice.hear(most=2, moves=2)
    assert not alice.submitted
    alice.hear()
    assert len(alice.submitted) == 1
    alice.disconnect()
    alice.publish(b"b")
    assert len(alice.submitted) == 1


def test_a_restart_from_an_old_checkpoint_finds_what_it_has_written() -> None:
    """ZON-6, ZON-12."""
    here = world(start=configured(ALICE))
    alice = Runner(here, ALICE)
    alice.hear()
    alice.publish(b"a")
    alice.publish(b"a")
    old = alice.disk[-1]
    configure(here, ALICE, BOB)
    for _ in range(2):
        alice.hear()
        here.chain.grow(7)
    alice.hear()
    assert not alice.machine.checkpoint.pending
    alice.disk = [old]
    alice.restart()
    alice.hear()
    here.chain.grow(7)
    alice.hear()

    assert payloads(here.chain) == [b"a", b"a"]
    assert not alice.machine.checkpoint.pending


def test_a_message_of_the_key_that_is_no_own_payload_is_adopted() -> None:
    """ZON-6."""
    here = world()
    here.chain.submit(ChannelInscribe(CHANNEL, b"earlier", bytes(32), ALICE))
    alice = Runner(here, ALICE)
    alice.hear()
    alice.publish(b"a")
    here.chain.grow(1, lambda each: each.inscription == b"earlier")  # type: ignore[union-attr]
    alice.hear()
    here.chain.grow()
    alice.hear()

    assert [each.message.payload for each in alice.said(Adopted)] == [b"earlier"]
    assert payloads(here.chain) == [b"earlier", b"a"]


def test_limits_of_the_queue() -> None:
    """ZON-5."""
    here = world()
    alice = Runner(here, ALICE)
    with pytest.raises(errors.PayloadTooLongError):
        alice.publish(bytes(MAX_INSCRIPTION_BYTES + 1))
    for _ in range(9):
        alice.publish(bytes(MAX_INSCRIPTION_BYTES))
    with pytest.raises(errors.QueueFullError):
        alice.publish(bytes(MAX_INSCRIPTION_BYTES))

    alice = Runner(here, ALICE)
    for _ in range(MAX_PENDING):
        alice.publish(b"")
    with pytest.raises(errors.QueueFullError):
        alice.publish(b"")


def test_a_key_that_the_channel_does_not_have_is_refused() -> None:
    """ZON-5."""
    here = world(start=configured(BOB))
    alice = Runner(here, ALICE)
    alice.hear()

    with pytest.raises(errors.NotAccreditedError):
        alice.publish(b"a")


def test_channel_zero_is_the_genesis() -> None:
    """LED-12."""
    final = Chain().genesis.point
    with pytest.raises(errors.ChannelReservedError):
        SequencerMachine(Checkpoint(bytes(32), ALICE, final, None, 0, ()), CLOCK)


def test_a_move_that_does_not_follow_changes_nothing() -> None:
    """ZON-2."""
    here = world()
    alice = Runner(here, ALICE)
    here.chain.grow(2)
    alice.hear()
    place, other = alice.machine.place, here.chain.extend(here.chain.genesis).told()
    final = here.chain.final.point
    for move in (
        ChainMove((), (other,), final, has_more=False),
        ChainMove((key_of("unknown"),), (), final, has_more=False),
        ChainMove(tuple([place] * 3), (), final, has_more=False),
    ):
        with pytest.raises(errors.ChainBrokenError):
            alice.machine.moved(move, 0)
    assert alice.machine.place == place


def test_a_block_is_final_once_the_final_one_is_told_or_survived() -> None:
    """ZON-3."""
    here = world()
    alice = Runner(here, ALICE)
    alice.hear()
    alice.publish(b"a")
    here.chain.grow(12)
    first, second, *_ = here.chain.moves(alice.machine.place, most=3)

    alice.perform(alice.machine.moved(first, 0))
    assert not alice.said(Finalized)  # above the final block nothing was told, so it may yet go
    alice.perform(alice.machine.moved(second, 0))
    assert len(alice.said(Finalized)) == 1
