"""MIX-27: reply blocks until they are used."""

import secrets

import pytest

from logos_mixnet.core.mixing import tokens as module
from logos_mixnet.core.mixing.errors import ReplyTokenUnknownError
from logos_mixnet.core.mixing.tokens import ReplyTokens
from logos_mixnet.core.sphinx.surb import Surb

BLOCK = Surb(b"", b"", b"")


def test_blocks_are_taken_once_and_not_too_late() -> None:
    tokens = ReplyTokens(1_000, secrets.token_bytes)
    first, second = tokens.add([BLOCK], 0), tokens.add([BLOCK] * 2, 500)
    assert len(first) == 16
    assert tokens.take(second, 1_400) == [BLOCK] * 2
    for token in (first, second, b""):
        with pytest.raises(ReplyTokenUnknownError):
            tokens.take(token, 1_400)
    assert len(tokens) == 0


def test_what_is_too_much_displaces_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BLOCKS", 10)
    tokens = ReplyTokens(1_000, secrets.token_bytes)
    given = [tokens.add([BLOCK] * 3, 0) for _ in range(5)]
    assert len(tokens) == 3
    with pytest.raises(ReplyTokenUnknownError):
        tokens.take(given[1], 0)
    assert tokens.take(given[2], 0) == [BLOCK] * 3
    tokens.expire(1_000)
    assert (len(tokens), tokens._count) == (0, 0)
