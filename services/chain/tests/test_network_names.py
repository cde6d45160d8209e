"""CNW-1, CNW-10: names of the chain's topics and of its protocol."""

import pytest

from logos_chain.core.network_names import ChainTopics, sync_protocol


def test_topics_are_those_of_one_chain() -> None:
    one, other = ChainTopics.of(bytes(32)), ChainTopics.of(b"\1" + bytes(31))

    assert one.proposals == "/cryptarchia/proto/" + "00" * 32
    assert one.transactions == "/mantle/proto/" + "00" * 32
    assert len({one.proposals, one.transactions, other.proposals, other.transactions}) == 4
    with pytest.raises(ValueError, match="31 bytes"):
        ChainTopics.of(bytes(31))


def test_the_test_network_s_protocol_is_the_default() -> None:
    assert sync_protocol() == "/logos-blockchain-testnet/cryptarchia/sync/1.0.0"
    assert sync_protocol(is_testnet=False) == "/logos-blockchain/cryptarchia/sync/1.0.0"
