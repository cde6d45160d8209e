import pytest

from logos_mixnet.core.errors import ReaderTooSlowError
from logos_mixnet.core.notices import Notice, PeerEvent, Watcher


def test_a_watcher_that_is_too_slow_is_ended() -> None:
    watcher = Watcher([])
    for _ in range(5000):
        watcher.put(Notice(PeerEvent.CONNECTED, "peer", "", 0))

    assert len(watcher._waiting) == 1025
    with pytest.raises(ReaderTooSlowError):
        watcher.take()
