"""The table `restart` of a manifest and of a profile: whether and when a module is restarted.

Every key is optional; what is not set comes from the kernel (KER-5).
"""

from dataclasses import dataclass, fields, replace
from enum import StrEnum


class RestartKind(StrEnum):
    """After which ends a process is restarted."""

    ALWAYS = "always"
    ON_FAILURE = "on_failure"
    """Any but exit code 0."""
    ON_WATCHDOG = "on_watchdog"
    """Those that the kernel brought about: no heartbeat, no progress, or not healthy."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Restart:
    """What is set; None is not."""

    kind: RestartKind | None = None
    max_restarts: int | None = None
    """Within `window_ms`; one more failure is FAILED."""
    window_ms: int | None = None
    backoff_base_ms: int | None = None
    backoff_factor: float | None = None
    backoff_max_ms: int | None = None
    jitter: float | None = None
    healthy_after_ms: int | None = None
    failed_retry_ms: int | None = None
    give_up: bool | None = None
    """FAILED is final, without the slow retry."""

    def over(self, other: "Restart") -> "Restart":
        """Returns what is set here, and of the rest what is set in `other`."""
        return replace(other, **self.settings())  # type: ignore[arg-type]  # of the same class

    def settings(self) -> dict[str, object]:
        """Returns what is set."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}


def parse_restart(table: object, where: str, problems: list[str]) -> Restart:
    """Reads a table; adds a problem for each value that cannot be used."""
    if not isinstance(table, dict):
        problems.append(f"{where}: must be a table")
        return Restart()
    values: dict[str, object] = {}
    for key, value in table.items():
        problem = _problem(key, value)
        if problem:
            problems.append(f"{where}.{key}: {problem}")
        else:
            values[key] = RestartKind(value) if key == "kind" else value
    return Restart(**values)  # type: ignore[arg-type]  # each was checked


def _problem(key: str, value: object) -> str:
    """Says what is wrong with a value; empty if nothing is."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    lowest = 0 if key == "max_restarts" else 1
    match key:
        case "kind":
            is_right, what = value in list(RestartKind), f"one of {', '.join(RestartKind)}"
        case "give_up":
            is_right, what = isinstance(value, bool), "true or false"
        case "backoff_factor":
            is_right, what = is_number and 1 <= value <= 100, "a number from 1 to 100"  # type: ignore[operator]
        case "jitter":
            is_right, what = is_number and 0 <= value <= 1, "a number from 0 to 1"  # type: ignore[operator]
        case _ if key in {one.name for one in fields(Restart)}:
            is_right = is_number and isinstance(value, int) and value >= lowest
            what = f"a whole number from {lowest}"
        case _:
            return "unknown key"
    return "" if is_right else f"must be {what}, is {value!r}"
