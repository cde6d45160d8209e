import hashlib
import json
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logos_crypto.erasure import counts_fit, data_shards, end_of_padded, parity_shards
from logos_crypto.hashes import keccak256

ROOT = Path(__file__).parents[3]
VECTORS = json.loads((ROOT / "vectors/leopard/shards.json").read_text(encoding="utf-8"))


def published(count: int, size: int) -> list[bytes]:
    """The shards of the vectors: a linear congruential generator."""
    x, made = 1, bytearray()
    for _ in range(count * size):
        x = (1103515245 * x + 12345) % (1 << 31)
        made.append(x >> 16 & 0xFF)
    return [bytes(made[at : at + size]) for at in range(0, len(made), size)]


@pytest.mark.vectors
@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["id"])
def test_agrees_with_leopard(case: dict[str, Any]) -> None:
    data = published(case["data"], case["shard_bytes"])

    parity = parity_shards(data, case["parity"])

    if "parity_hex" in case:
        assert [shard.hex() for shard in parity] == case["parity_hex"]
    else:
        assert hashlib.sha256(b"".join(parity)).hexdigest() == case["parity_sha256"]
    lost: list[bytes | None] = [None] * len(parity)
    assert data_shards([*lost, *data[len(parity) :], *parity], len(data)) == data


def test_every_four_of_six_shards_give_the_data() -> None:
    data = published(4, 64)
    whole = [*data, *parity_shards(data, 2)]

    for kept in combinations(range(6), 4):
        shards = [whole[at] if at in kept else None for at in range(6)]
        assert data_shards(shards, 4) == data


@given(st.integers(0, 300), st.integers(0, 300))
def test_counts_are_those_that_the_native_code_takes(data: int, parity: int) -> None:
    shards = [bytes(64)] * data

    if counts_fit(data, parity):
        assert parity_shards(shards, parity) == [bytes(64)] * parity
    else:
        with pytest.raises(ValueError):
            parity_shards(shards, parity)


@given(st.lists(st.none() | st.binary(max_size=130), max_size=20), st.integers(0, 20))
def test_arbitrary_shards_give_data_or_a_value_error(shards: list[bytes | None], data: int) -> None:
    with suppress(ValueError):
        assert len(data_shards(shards, data)) == data


@pytest.mark.parametrize("sizes", [(64, 128), (63, 63), (0, 0)])
def test_sizes_are_equal_and_multiples_of_64(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="multiple of 64"):
        parity_shards([bytes(size) for size in sizes], 1)


@given(st.binary(max_size=300), st.integers(0, 300), st.integers(0, 300))
def test_the_end_of_padded_data_is_found_by_its_hash(data: bytes, zeros: int, least: int) -> None:
    end = end_of_padded(data + bytes(zeros), least, keccak256(data))

    assert end == (len(data) if least <= len(data) else None)
