"""The indexer's readers on a chain that changes: ZON-14 to ZON-16."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_mantle.channels import ChannelInscribe, message_id
from logos_zone_sdk.core.errors import ChannelBrokenError
from logos_zone_sdk.core.indexing import FinalReader, Found, LiveReader, Lost, Settled
from logos_zone_sdk.core.places import Cursor
from zone_chain import CHANNEL, Chain, key_of

ALICE = key_of("alice")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["grow", "reorganise", "hear", "restart", "rewind"]), st.integers(0, 255)
    ),
    max_size=40,
)


def written(chain: Chain, count: int) -> list[ChannelInscribe]:
    """Submits messages that follow one another."""
    parent, made = bytes(32), []
    for place in range(count):
        made.append(ChannelInscribe(CHANNEL, b"%d" % place, parent, ALICE))
        parent = message_id(made[-1])
        chain.submit(made[-1])
    return made


def start(chain: Chain) -> Cursor:
    return Cursor(bytes(32), chain.genesis.point)


def read_final(chain: Chain, reader: FinalReader) -> list[Found]:
    found = []
    for move in chain.moves(reader.place):
        for block, is_written in reader.moved(move):
            messages = chain.blocks[block.id].told().messages if is_written else ()
            found += reader.read(block, messages)
    return found


def change(chain: Chain, step: str, salt: int) -> None:
    wanted = (lambda each: (message_id(each)[0] ^ salt) & 3 != 0) if salt & 8 else (lambda _: True)
    if step == "grow":
        chain.grow(1 + salt % 3, wanted)
    if step == "reorganise":
        chain.reorganise(1 + salt % 4, wanted)


@given(STEPS, st.integers(0, 3))
def test_final_messages_come_once_in_order_whatever_happens(
    steps: list[tuple[str, int]], taken: int
) -> None:
    """ZON-14, ZON-16: also if it goes on from a cursor in the middle of a block."""
    chain = Chain()
    messages = written(chain, 12)
    reader, found = FinalReader(start(chain)), list[Found]()
    for step, salt in steps:
        change(chain, step, salt)
        if step == "hear":
            found += read_final(chain, reader)
        if step == "rewind":
            reader.rewound()
            reader = FinalReader(reader.cursor)
        if step == "restart" and found:
            del found[len(found) - taken % len(found) :]
            cursor = found[-1].cursor if taken and found else reader.cursor
            assert cursor is not None
            reader = FinalReader(Cursor.decode(cursor.encode()))
            found += reader.resume(
                chain.blocks[cursor.block.id].told().messages if cursor.block.height else ()
            )
        assert reader.cursor.block.height <= chain.final.point.height
    chain.grow(20)
    found += read_final(chain, reader)

    assert [each.message.operation for each in found] == messages
    assert all(each.is_final for each in found)


@dataclass
class Live:
    """What a reader has said of the channel, and what that makes of it."""

    reader: LiveReader
    ids: list[bytes] = field(default_factory=list)
    final: list[bytes] = field(default_factory=list)

    def hear(self, chain: Chain, place: bytes) -> None:
        for move in chain.moves(place):
            self.take(self.reader.moved(move))

    def take(self, told: list[Found | Lost | Settled]) -> None:
        for each in told:
            match each:
                case Found(message=message):
                    assert not each.is_final
                    self.ids.append(message.id)
                case Lost(message=message):
                    assert self.ids.pop() == message
                    assert len(self.ids) >= len(self.final)
                case Settled(message=message):
                    self.final.append(message)
                    assert self.ids[: len(self.final)] == self.final
                    assert each.cursor.message == message


@given(STEPS)
def test_live_messages_are_lost_or_settled(steps: list[tuple[str, int]]) -> None:
    """ZON-16: what was found and not lost is the channel; what is settled is never lost."""
    chain = Chain()
    written(chain, 12)
    live = Live(LiveReader(start(chain)))
    for step, salt in [*steps, ("hear", 0)]:
        change(chain, step, salt)
        if step == "rewind":
            live.take(live.reader.rewound())
            live.hear(chain, live.reader.base)
        if step == "hear":
            live.hear(chain, live.reader.place)
            path = [message_id(each) for block in chain.tip.path() for each in block.messages]
            assert live.ids == path


def test_a_missing_message_stops_the_reader() -> None:
    """ZON-15."""
    chain = Chain()
    written(chain, 3)
    chain.grow()
    block = chain.tip.told()
    reader = FinalReader(start(chain))
    with pytest.raises(ChannelBrokenError):
        reader.read(block.point, [block.messages[0], block.messages[2]])
