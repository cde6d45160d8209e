"""Errors carry what a caller can act on."""

import pytest

from logos_base.errors import (
    ConfigError,
    DiskFullError,
    ErrorKind,
    LocalFaultError,
    LogosError,
    RemoteFaultError,
    StateError,
    StoreFailedError,
)


class BusyError(LogosError):
    kind = ErrorKind.UNAVAILABLE
    reason = "BUSY"
    retry_after_ms = 100


def test_a_class_sets_what_its_instances_may_change() -> None:
    plain, changed = BusyError("wait"), BusyError("wait", retry_after_ms=7, field="size")

    assert (plain.retry_after_ms, plain.field, str(plain)) == (100, None, "wait")
    assert (changed.retry_after_ms, changed.field) == (7, "size")
    assert BusyError.retry_after_ms == 100


def test_a_configuration_error_holds_all_problems() -> None:
    error = ConfigError(["a: no", "b: no"])

    assert error.problems == ["a: no", "b: no"]
    assert str(error) == "a: no; b: no"
    assert (error.kind, error.reason) == (ErrorKind.INVALID_ARGUMENT, "INVALID_CONFIG")


class LyingPeerError(RemoteFaultError):
    kind = ErrorKind.DATA_LOSS
    reason = "LYING_PEER"


@pytest.mark.parametrize(
    ("error", "whose"),
    [
        (LyingPeerError("no"), "theirs"),
        (DiskFullError("full"), "ours"),
        (StoreFailedError("no"), "ours"),
        (StateError("damaged"), "ours"),
        (BusyError("wait"), "unsaid"),
    ],
)
def test_an_error_says_whose_fault_it_is_also_in_a_group(error: LogosError, whose: str) -> None:
    said = []
    try:
        raise ExceptionGroup("of a task group", [error])
    except* RemoteFaultError:
        said.append("theirs")
    except* LocalFaultError:
        said.append("ours")
    except* LogosError:
        said.append("unsaid")

    assert said == [whose]
