"""Errors carry what a caller can act on."""

from logos_base.errors import ConfigError, ErrorKind, LogosError


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
