"""The variables a module process is started with."""

from pathlib import Path

import pytest

from logos_base.errors import ConfigError
from logos_module.environment import Environment, parse_environment

GIVEN = {
    "LOGOS_MODULE": "storage",
    "LOGOS_KERNEL": "unix:/run/kernel.sock",
    "LOGOS_LISTEN": "unix:/run/storage.sock",
    "LOGOS_STATE_DIR": "/var/storage",
    "LOGOS_JOIN_SECRET": "/join/secret",
}


def test_the_required_variables_are_enough() -> None:
    assert parse_environment(GIVEN) == Environment(
        module="storage",
        kernel="unix:/run/kernel.sock",
        listen="unix:/run/storage.sock",
        state_dir=Path("/var/storage"),
        join_secret=Path("/join/secret"),
        epoch=0,
        is_beside=False,
        log_level="INFO",
        metrics_listen=None,
    )


def test_the_others_are_read() -> None:
    environment = parse_environment(
        GIVEN
        | {
            "LOGOS_EPOCH": "7",
            "LOGOS_BESIDE": "1",
            "LOGOS_LOG_LEVEL": "debug",
            "LOGOS_METRICS_LISTEN": "127.0.0.1:9100",
        }
    )

    assert (environment.epoch, environment.log_level) == (7, "DEBUG")
    assert environment.is_beside
    assert environment.metrics_listen == ("127.0.0.1", 9100)


@pytest.mark.parametrize("value", ["9090", ":9090", "host:", "host:x", "host:0", "host:65536"])
def test_metrics_without_host_or_port_are_refused_with_what_is_right(value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_environment(GIVEN | {"LOGOS_METRICS_LISTEN": value})

    assert refused.value.problems == [
        f"LOGOS_METRICS_LISTEN: must be host:port, such as 127.0.0.1:9090, is {value!r}"
    ]


def test_no_metrics_are_served_where_the_variable_is_empty() -> None:
    environment = parse_environment(GIVEN | {"LOGOS_METRICS_LISTEN": ""})

    assert environment.metrics_listen is None


@pytest.mark.parametrize("value", ["9090", ":9090", "unix:relative", "localhost"])
def test_an_address_without_a_host_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="LOGOS_LISTEN: must be unix:/path or host:port"):
        parse_environment(GIVEN | {"LOGOS_LISTEN": value})


def test_all_problems_come_at_once() -> None:
    with pytest.raises(ConfigError) as refused:
        parse_environment(
            {
                "LOGOS_EPOCH": "-1",
                "LOGOS_BESIDE": "yes",
                "LOGOS_LOG_LEVEL": "loud",
                "LOGOS_METRICS_LISTEN": "host:x",
            }
        )

    assert [one.split(":")[0] for one in refused.value.problems] == [
        "LOGOS_MODULE",
        "LOGOS_KERNEL",
        "LOGOS_LISTEN",
        "LOGOS_STATE_DIR",
        "LOGOS_JOIN_SECRET",
        "LOGOS_EPOCH",
        "LOGOS_BESIDE",
        "LOGOS_LOG_LEVEL",
        "LOGOS_METRICS_LISTEN",
    ]
