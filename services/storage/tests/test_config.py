import pytest

from logos_base.errors import ConfigError
from logos_storage.config import Config, parse


def test_everything_has_a_default() -> None:
    assert parse({}) == Config()
    assert Config().quota_bytes == 20 * 1024**3


def test_takes_what_is_given() -> None:
    config = parse({"quota_bytes": 2**30, "block_size_bytes": 4096, "stall_timeout_ms": 5000})

    assert config == Config(quota_bytes=2**30, block_size_bytes=4096, stall_timeout_ms=5000)


def test_says_all_that_is_wrong_at_once() -> None:
    settings = {
        "quota": 1,
        "quota_bytes": "much",
        "block_size_bytes": 1000,
        "fetch_timeout_ms": 1,
        "stall_timeout_ms": True,
    }

    with pytest.raises(ConfigError) as failure:
        parse(settings)

    assert [problem.split()[0] for problem in failure.value.problems] == [
        "unknown",
        "quota_bytes",
        "fetch_timeout_ms",
        "stall_timeout_ms",
        "block_size_bytes:",
    ]
