import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_delivery.core.channels import bloom
from logos_delivery.core.channels.bloom import BloomFilter, RollingBloom
from logos_delivery.core.channels.errors import BloomFilterMalformedError

ROOT = Path(__file__).parents[3]
VECTORS = json.loads((ROOT / "vectors/logos-channels/bloom.json").read_text(encoding="utf-8"))
REFERENCE = json.loads((ROOT / "vectors/nim-sds/reliability.json").read_text(encoding="utf-8"))


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["id"])
def test_filters_have_published_bytes(case: dict[str, Any]) -> None:
    """CHN-14."""
    made = BloomFilter(case["hashes"], bytes(case["size_bytes"])).with_added(case["ids"])

    assert bloom.encode(made).hex() == case["filter"]
    assert bloom.decode(bytes.fromhex(case["filter"])) == made
    assert all(one in made for one in case["ids"])
    assert [one for one in case["absent"] if one in made] == []


@pytest.mark.vectors
def test_a_filter_of_the_reference_s_size_is_as_seldom_wrong() -> None:
    figures = REFERENCE["bloom"]
    added = [f"message {number}" for number in range(figures["capacity"])]
    size_bytes = figures["capacity"] * figures["bits_per_element"] // 8

    made = BloomFilter(figures["hashes"], bytes(size_bytes)).with_added(added)

    wrong = sum(f"another {number}" in made for number in range(figures["capacity"]))
    assert all(one in made for one in added)
    assert wrong / figures["capacity"] < figures["error_rate"] * 1.5
    assert made.false_rate() < figures["error_rate"]


@given(st.lists(st.text(max_size=20), max_size=80), st.integers(1, 32), st.integers(1, 40))
def test_what_was_added_is_in_it(ids: list[str], hashes: int, size_bytes: int) -> None:
    made = bloom.decode(bloom.encode(BloomFilter(hashes, bytes(size_bytes)).with_added(ids)))

    assert all(one in made for one in ids)
    assert made.count == len(ids)
    assert 0 <= made.false_rate() <= 1


@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_a_filter_or_refused(raw: bytes) -> None:
    try:
        found = bloom.decode(raw)
    except BloomFilterMalformedError:
        return
    assert bloom.encode(found) == raw


@pytest.mark.parametrize(
    "header",
    [(0, 8, 0), (33, 8, 0), (7, 0, 0), (7, 12, 0), (7, 1 << 19, 0), (7, 16, 0)],
)
def test_headers_are_bounded(header: tuple[int, int, int]) -> None:
    raw = bloom.encode(BloomFilter(1, b"\0"))
    numbers = b"".join(bloom.varint.encode(number) for number in header)

    with pytest.raises(BloomFilterMalformedError):
        bloom.decode(bytes([len(numbers)]) + numbers + raw[-1:])


def test_a_full_filter_rolls_on_with_the_latest_ids() -> None:
    """CHN-15."""
    rolling = RollingBloom(size_bytes=256)
    ids = [f"id {number}" for number in range(1000)]

    counts = []
    for at, one in enumerate(ids):
        rolling.add(one)
        counts.append(rolling.filter.count)
        assert all(late in rolling.filter for late in ids[max(0, at - 150) : at + 1])

    assert max(counts) == 204
    assert rolling.filter.false_rate() < bloom.MAX_FALSE_RATE
    assert sum(one in rolling.filter for one in ids[:500]) < 20


def test_the_filter_of_a_message_is_a_few_hundred_bytes() -> None:
    assert len(bloom.encode(RollingBloom(size_bytes=256).filter)) < 300
