"""CHN-29: encryption of a channel's messages with a key."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_delivery.core.channels.errors import ChannelKeyInvalidError, ChannelSealError
from logos_delivery.core.channels.sealing import KeySealing, Sealing, sealing_of

ROOT = Path(__file__).parents[3]
VECTORS = json.loads((ROOT / "vectors/logos-channels/sealed.json").read_text(encoding="utf-8"))
KEY = bytes(range(32))
NONCE = bytes(range(12))


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["id"])
def test_published_values(case: dict[str, Any]) -> None:
    raw = {name: bytes.fromhex(case[name]) for name in ("key", "nonce", "content", "sealed")}
    sealing = KeySealing(raw["key"], case["channel_id"])
    assert sealing.encrypt(raw["content"], raw["nonce"]) == raw["sealed"]
    assert sealing.decrypt(raw["sealed"]) == raw["content"]


@given(content=st.binary(), nonce=st.binary(min_size=12, max_size=12))
def test_what_was_encrypted_comes_back(content: bytes, nonce: bytes) -> None:
    one, other = KeySealing(KEY, "c"), KeySealing(KEY, "c")
    sealed = one.encrypt(content, nonce)
    assert sealed.startswith(nonce)
    assert len(sealed) == len(content) + 28
    assert other.decrypt(sealed) == content


@pytest.mark.parametrize("other", [KeySealing(bytes(32), "c"), KeySealing(KEY, "d")])
def test_another_key_or_channel_cannot_read_it(other: Sealing) -> None:
    with pytest.raises(ChannelSealError):
        other.decrypt(KeySealing(KEY, "c").encrypt(b"x", NONCE))


@given(at=st.integers(0, 28 + 4), bit=st.integers(0, 7))
def test_a_changed_bit_is_seen(at: int, bit: int) -> None:
    sealing = KeySealing(KEY, "c")
    sealed = bytearray(sealing.encrypt(b"hello", NONCE))
    sealed[at] ^= 1 << bit
    with pytest.raises(ChannelSealError):
        sealing.decrypt(bytes(sealed))


@given(raw=st.binary(max_size=100))
def test_arbitrary_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(ChannelSealError):
        KeySealing(KEY, "c").decrypt(raw)


@pytest.mark.parametrize("size", [1, 31, 33])
def test_keys_have_32_bytes(size: int) -> None:
    with pytest.raises(ChannelKeyInvalidError):
        sealing_of(bytes(size), "c")


def test_without_a_key_nothing_is_encrypted() -> None:
    sealing = sealing_of(b"", "c")
    assert sealing.decrypt(sealing.encrypt(b"open", NONCE)) == b"open"
    assert sealing.encrypt(b"open", NONCE) == b"open"
