from typing import Any

import pytest

from logos_base.errors import StreamLostError
from logos_client.channels import open_channel
from logos_module.network.streams import PeerStreams


async def test_sending_on_a_stream_that_has_broken_says_so_and_nothing_else(
    net: Any, short_folder: Any
) -> None:
    """Anything else would end the module: fetches run among its own tasks."""

    async def leave(end: Any) -> None:
        end.reset()

    await net.node("one")
    net.hub.scripts["two", "/p"] = leave
    async with (
        open_channel(f"unix:{short_folder}/one-mixnet.sock") as channel,
        PeerStreams(channel, "one").open("two", "/p") as stream,
    ):
        with pytest.raises(StreamLostError):
            await stream.receive()
        with pytest.raises(StreamLostError):
            await stream.send((b"late",))
        with pytest.raises(StreamLostError):
            await stream.end()
