import hashlib

import base58 as oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_base.errors import LogosError
from logos_storage.core.cid import (
    BLOCK,
    MANIFEST,
    TREE,
    Cid,
    cid_of,
    parse_binary,
    parse_text,
    prefix,
)
from logos_storage.core.errors import (
    CidCodecUnknownError,
    CidHashUnknownError,
    CidMalformedError,
)

DIGEST = hashlib.sha256(b"content").digest()
EMPTY_BLOCK = "zDxWB8EDDsokSpiTXNRpv1jS2LXjEdLgTiDfxFd7Eo8CSPKVj93r"


def text_of(raw: bytes) -> str:
    return "z" + oracle.b58encode(raw).decode()


@pytest.mark.vectors
def test_names_the_empty_block_as_upstream_does() -> None:
    assert str(cid_of(BLOCK, b"")) == EMPTY_BLOCK


@pytest.mark.parametrize(
    ("codec", "encoded", "start"),
    [(MANIFEST, "819a03", "zDvZ"), (BLOCK, "829a03", "zDxW"), (TREE, "839a03", "zDzS")],
)
def test_writes_what_the_codecs_look_like(codec: int, encoded: str, start: str) -> None:
    cid = Cid(codec, DIGEST)

    assert cid.binary.hex() == "01" + encoded + "1220" + DIGEST.hex()
    assert str(cid).startswith(start)


@pytest.mark.property
@given(st.sampled_from([MANIFEST, BLOCK, TREE]), st.binary(min_size=32, max_size=32))
def test_reads_what_it_writes(codec: int, digest: bytes) -> None:
    cid = Cid(codec, digest)

    assert str(cid) == text_of(cid.binary)
    assert parse_text(str(cid), codec) == cid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "z",
        "zDvZ",
        "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
        "z0OIl",
        "z" + "1" * 200,
        str(Cid(MANIFEST, DIGEST)) + "1",
        str(Cid(MANIFEST, DIGEST))[:-1],
        text_of(Cid(MANIFEST, DIGEST).binary + b"\0"),
        text_of(Cid(MANIFEST, DIGEST).binary[:-1]),
        text_of(b"\x02" + Cid(MANIFEST, DIGEST).binary[1:]),
        text_of(b"\x81\x00" + Cid(MANIFEST, DIGEST).binary[1:]),
    ],
)
def test_refuses_what_is_no_cid(text: str) -> None:
    with pytest.raises(CidMalformedError):
        parse_text(text, MANIFEST)


@pytest.mark.parametrize("codec", [BLOCK, TREE, 0x55, 0xCD04])
def test_refuses_the_cid_of_something_else(codec: int) -> None:
    with pytest.raises(CidCodecUnknownError):
        parse_text(text_of(prefix(codec) + DIGEST), MANIFEST)


@pytest.mark.parametrize("multihash", ["1320", "121f", "1b20"])
def test_refuses_other_hashes(multihash: str) -> None:
    raw = bytes.fromhex("01819a03" + multihash) + DIGEST

    with pytest.raises(CidHashUnknownError):
        parse_text(text_of(raw), MANIFEST)


@pytest.mark.property
@given(st.one_of(st.binary(max_size=70), st.binary(max_size=40).map(lambda b: b"\1\x81\x9a\3" + b)))
def test_any_bytes_are_a_cid_or_a_named_error(raw: bytes) -> None:
    try:
        cid = parse_binary(raw, MANIFEST)
    except (CidMalformedError, CidCodecUnknownError, CidHashUnknownError):
        return
    assert cid.binary == raw


@pytest.mark.property
@given(st.text(max_size=60))
def test_any_text_is_a_cid_or_a_named_error(text: str) -> None:
    with pytest.raises(LogosError, match="cid"):
        parse_text(text, MANIFEST)
