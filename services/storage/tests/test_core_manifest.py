import hashlib
import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto import varint
from logos_storage.core import manifest as manifests
from logos_storage.core import merkle
from logos_storage.core.cid import (
    BLOCK,
    MANIFEST,
    SHA2_256,
    TREE,
    Cid,
    cid_of,
    parse_binary,
)
from logos_storage.core.errors import (
    InvalidFilenameError,
    InvalidMimetypeError,
    ManifestMalformedError,
)
from logos_storage.core.manifest import Manifest
from reference_tree import ReferenceTree

FOLDER = Path(__file__).parents[3] / "vectors/logos-storage"
WIRE, PUBLISHED, GENERATED = (
    json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    for name in ("manifests", "published-datasets", "generated-datasets")
)
TREE_CID = Cid(TREE, hashlib.sha256(b"tree").digest())

texts = st.text(
    st.characters(exclude_characters="/", exclude_categories=["Cc", "Cs"]), max_size=60
).filter(lambda text: text not in {".", ".."})


def tree_cid_over(content: bytes, block_size: int) -> Cid:
    blocks = [
        content[start : start + block_size].ljust(block_size, b"\0")
        for start in range(0, len(content), block_size)
    ]
    return Cid(TREE, ReferenceTree(hashlib.sha256(block).digest() for block in blocks).root)


def older_layout(manifest: Manifest) -> bytes:
    """Writes the layout of v0.3: no version, and every field one lower."""
    values: list[int | bytes] = [
        manifest.tree_cid.binary,
        manifest.block_size_bytes,
        manifest.size_bytes,
        BLOCK,
        SHA2_256,
        2,
        manifest.filename.encode(),
        manifest.mimetype.encode(),
    ]
    header = b"".join(field_of(number, value) for number, value in enumerate(values, 1))
    return field_of(1, header)


def field_of(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return bytes((number << 3,)) + varint.encode(value)
    head = bytes((number << 3 | 2,)) + varint.encode(len(value))
    return head + value if value else b""


def generated(size: int) -> bytes:
    out = bytearray()
    for number in count():
        if len(out) >= size:
            return bytes(out[:size])
        out += hashlib.sha256(GENERATED["seed"].encode() + number.to_bytes(8, "big")).digest()
    raise AssertionError


@pytest.mark.vectors
@pytest.mark.parametrize("case", PUBLISHED["cases"], ids=lambda case: case["id"])
def test_agrees_with_cids_of_real_nodes(case: dict[str, Any]) -> None:
    content = case["content"].encode()
    manifest = Manifest(
        tree_cid_over(content, PUBLISHED["block_size_bytes"]),
        len(content),
        PUBLISHED["block_size_bytes"],
        case.get("filename", ""),
        case.get("mimetype", ""),
    )

    assert str(manifest.tree_cid) == case["tree_cid"]
    if "manifest_cid_v0_3" in case:
        raw = older_layout(manifest)
        assert len(raw) == case["manifest_bytes_v0_3"]
        assert str(cid_of(MANIFEST, raw)) == case["manifest_cid_v0_3"]


@pytest.mark.vectors
@pytest.mark.parametrize("case", GENERATED["cases"], ids=lambda case: case["id"])
def test_agrees_with_our_own_datasets(case: dict[str, Any]) -> None:
    content = generated(case["size_bytes"])
    block_size = GENERATED["block_size_bytes"]
    manifest = Manifest(tree_cid_over(content, block_size), len(content), block_size)

    assert str(manifest.tree_cid) == case["tree_cid"]
    assert str(cid_of(MANIFEST, manifests.encode(manifest))) == case["manifest_cid_current"]
    raw = older_layout(manifest)
    assert str(cid_of(MANIFEST, raw)) == case["manifest_cid_v0_3"]


def from_case(case: dict[str, Any]) -> Manifest:
    tree_cid = parse_binary(bytes.fromhex(WIRE["tree_cid"]), WIRE["tree_codec"])
    return Manifest(
        tree_cid, case["size_bytes"], case["block_size_bytes"], case["filename"], case["mimetype"]
    )


@pytest.mark.vectors
@pytest.mark.parametrize("case", WIRE["cases"], ids=lambda case: case["id"])
def test_writes_and_reads_the_wire_fixtures(case: dict[str, Any]) -> None:
    manifest = from_case(case)

    assert manifests.encode(manifest).hex() == case["manifest"]
    assert manifests.decode(bytes.fromhex(case["manifest"]), WIRE["tree_codec"]) == manifest


@pytest.mark.vectors
@pytest.mark.parametrize("case", WIRE["read_the_same"], ids=lambda case: case["id"])
def test_reads_past_what_it_does_not_know(case: dict[str, Any]) -> None:
    raw = bytes.fromhex(case["manifest"])

    assert manifests.decode(raw, WIRE["tree_codec"]) == from_case(WIRE["cases"][0])


@pytest.mark.vectors
@pytest.mark.parametrize("case", WIRE["refused"], ids=lambda case: case["id"])
def test_refuses_the_false_fixtures(case: dict[str, Any]) -> None:
    with pytest.raises(ManifestMalformedError):
        manifests.decode(bytes.fromhex(case["manifest"]), WIRE["tree_codec"])


@pytest.mark.property
@given(
    st.sampled_from([manifests.encode, older_layout]),
    st.integers(1, 2**63 - 1),
    st.integers(12, 19),
    texts,
    texts,
)
def test_reads_both_layouts(
    layout: Callable[[Manifest], bytes], size: int, exponent: int, filename: str, mimetype: str
) -> None:
    manifest = Manifest(TREE_CID, size, 1 << exponent, filename, mimetype[:30])

    assert manifests.decode(layout(manifest)) == manifest


@pytest.mark.property
@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_a_named_error(raw: bytes) -> None:
    with pytest.raises(ManifestMalformedError):
        manifests.decode(raw)


@pytest.mark.property
@given(st.data(), st.sampled_from([manifests.encode, older_layout]))
def test_a_damaged_manifest_is_another_one_or_a_named_error(
    data: st.DataObject, layout: Callable[[Manifest], bytes]
) -> None:
    raw = bytearray(layout(Manifest(TREE_CID, 70_000, 65536, "a", "b/c")))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] = data.draw(st.integers(0, 255))

    try:
        manifest = manifests.decode(bytes(raw))
    except ManifestMalformedError:
        return
    assert manifest.shape.block_count >= 1


@pytest.mark.parametrize(
    "manifest",
    [
        Manifest(TREE_CID, 0, 65536),
        Manifest(TREE_CID, 2**63, 65536),
        Manifest(TREE_CID, 1, 2048),
        Manifest(TREE_CID, 1, 2**20),
        Manifest(TREE_CID, 1, 65535),
        Manifest(TREE_CID, 1, 65536, filename="../../etc/passwd"),
        Manifest(TREE_CID, 1, 65536, filename="x" * 256),
        Manifest(TREE_CID, 1, 65536, mimetype="x" * 128),
        Manifest(TREE_CID, 1, 65536, mimetype="a/b\n"),
        Manifest(Cid(MANIFEST, TREE_CID.digest), 1, 65536),
    ],
)
def test_refuses_manifests_that_break_the_rules(manifest: Manifest) -> None:
    with pytest.raises(ManifestMalformedError):
        manifests.decode(manifests.encode(manifest))


def test_a_manifest_over_64_kib_is_refused_unread() -> None:
    with pytest.raises(ManifestMalformedError, match="over 65536"):
        manifests.decode(bytes(64 * 1024 + 1))


def test_a_dataset_without_bytes_has_no_blocks_and_one_tree() -> None:
    empty = Manifest(Cid(TREE, merkle.EMPTY_ROOT), 0, 65536)

    assert manifests.decode(manifests.encode(empty)).shape.block_count == 0


def test_a_name_is_part_of_the_cid() -> None:
    nameless, named = Manifest(TREE_CID, 1, 65536), Manifest(TREE_CID, 1, 65536, "a.txt")

    assert manifests.encode(nameless) != manifests.encode(named)


@pytest.mark.parametrize("name", ["", "a", "ä" * 127, "a b.tar.gz", "..."])
def test_allows_ordinary_file_names(name: str) -> None:
    manifests.check_filename(name)


@pytest.mark.parametrize("name", ["/", "a/b", "..", ".", "a\0", "a\n", "\x7f", "ä" * 128])
def test_refuses_dangerous_file_names(name: str) -> None:
    with pytest.raises(InvalidFilenameError):
        manifests.check_filename(name)


@pytest.mark.parametrize("mimetype", ["", "text/plain", "application/vnd.logos+json"])
def test_allows_ordinary_mime_types(mimetype: str) -> None:
    manifests.check_mimetype(mimetype)


@pytest.mark.parametrize(
    "mimetype", ["text", "/", "a/", "/b", "a/b/c", "a/b\n", "ä/b", "a/" + "b" * 126]
)
def test_refuses_what_is_no_mime_type(mimetype: str) -> None:
    with pytest.raises(InvalidMimetypeError):
        manifests.check_mimetype(mimetype)
