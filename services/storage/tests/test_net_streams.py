from typing import Any

import pytest

from logos_client.channels import open_channel
from logos_storage.net.streams import StreamLostError, opened_stream, streams_of


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
        opened_stream(streams_of(channel), "two", "/p") as stream,
    ):
        with pytest.raises(StreamLostError):
            await stream.receive()
        with pytest.raises(StreamLostError):
            await stream.send((b"late",))
        with pytest.raises(StreamLostError):
            await stream.end()
