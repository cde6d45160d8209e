"""KER-5: the table `restart`."""

import pytest

from logos_base.manifest import parse_manifest
from logos_base.restart import Restart, RestartKind, parse_restart


def test_every_key_is_read() -> None:
    table = {
        "kind": "on_watchdog",
        "max_restarts": 0,
        "window_ms": 1,
        "backoff_base_ms": 2,
        "backoff_factor": 1.5,
        "backoff_max_ms": 3,
        "jitter": 0,
        "healthy_after_ms": 4,
        "failed_retry_ms": 5,
        "give_up": False,
    }

    problems: list[str] = []

    assert parse_restart(table, "restart", problems).settings() == table
    assert not problems


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("kind", "sometimes", "one of always, on_failure, on_watchdog, never"),
        ("kind", ["never"], "one of always, on_failure, on_watchdog, never"),
        ("max_restarts", -1, "a whole number from 0"),
        ("window_ms", 0, "a whole number from 1"),
        ("window_ms", True, "a whole number from 1"),
        ("window_ms", 1.5, "a whole number from 1"),
        ("backoff_factor", 0.9, "a number from 1 to 100"),
        ("backoff_factor", float("nan"), "a number from 1 to 100"),
        ("jitter", 1.1, "a number from 0 to 1"),
        ("jitter", "0", "a number from 0 to 1"),
        ("give_up", 1, "true or false"),
    ],
)
def test_values_that_cannot_be_used_are_refused(key: str, value: object, what: str) -> None:
    problems: list[str] = []

    assert parse_restart({key: value}, "restart", problems) == Restart()
    assert problems == [f"restart.{key}: must be {what}, is {value!r}"]


def test_a_manifest_holds_it_and_a_group() -> None:
    head = 'name = "a"\nversion = "1.2.3"\n'

    read = parse_manifest(head + 'group = "g"\n[restart]\nkind = "never"\njitter = 0.1')

    assert (read.group, read.restart) == ("g", Restart(RestartKind.NEVER, jitter=0.1))


def test_what_is_set_stands_over_what_is_not() -> None:
    upper, lower = Restart(window_ms=1, give_up=False), Restart(window_ms=2, give_up=True, jitter=0)

    assert upper.over(lower) == Restart(window_ms=1, give_up=False, jitter=0)
