"""The settings of a module, which may change while it runs (KER-41)."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

from logos_base.errors import ConfigError
from logos_module import logs

log = logging.getLogger(__name__)

T = TypeVar("T", bool, int, float, str, list[object], dict[str, object])

LOG_LEVEL: Final = "log_level"
"""The one setting that the harness goes by itself; modules do not see it."""


class Outcome(StrEnum):
    """What a module does with new settings."""

    APPLIED = "APPLIED"
    """It goes by them from now on."""
    REQUIRES_RESTART = "REQUIRES_RESTART"
    """It goes by the old ones until it is restarted, which its kernel does at once."""
    REJECTED = "REJECTED"
    """It refuses them, and goes by the old ones."""


Handler = Callable[[Mapping[str, object]], Outcome]
"""Takes all settings as they shall be. Raises `ConfigError` to refuse them."""


class Settings(Mapping[str, object]):
    """The settings as they are now; `version` goes up whenever they change.

    Secrets do not belong here: every viewer of the node can read settings.
    """

    def __init__(self, log_level: str = "INFO") -> None:
        self.version = 0
        """0 until the kernel has sent any."""
        self._usual_level = log_level
        self._level = log_level
        self._values: dict[str, object] = {}
        self._handler: Handler | None = None

    def __getitem__(self, key: str) -> object:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def typed(self, key: str, default: T) -> T:
        """Returns a setting of the type of `default`, which it is if it is not set.

        Raises:
            ConfigError: It has another type.
        """
        value: Any = self._values.get(key, default)
        wanted = type(default)
        if wanted is float and type(value) is int:
            value = float(value)
        if type(value) is wanted:
            return value
        raise ConfigError([f"{key}: must be of the type {wanted.__name__}, is {value!r}"])

    def on_change(self, handler: Handler) -> None:
        """Has a handler decide on new settings; without one, they require a restart.

        It is called on the event loop, and only if another setting than `log_level` changes.
        """
        self._handler = handler

    def offer(self, version: int, text: str) -> tuple[Outcome, str]:
        """Decides on settings of the kernel; returns what the module does, and why.

        Args:
            version: Their version; one that is not new is APPLIED.
            text: All settings, a JSON object.
        """
        if self.version and version <= self.version:
            return Outcome.APPLIED, ""
        values = json.loads(text or "{}")
        level = str(values.pop(LOG_LEVEL, self._usual_level))
        outcome, detail = self._decide(values)
        if outcome is Outcome.APPLIED:
            self.version, self._values = version, values
            if level != self._level:
                logs.set_level(level)
                self._level = level
            log.info("settings hold", extra={"version": version, "log_level": level})
        else:
            log.warning("settings do not hold", extra={"outcome": outcome, "why": detail})
        return outcome, detail

    def _decide(self, values: dict[str, object]) -> tuple[Outcome, str]:
        if not self.version or values == self._values:
            return Outcome.APPLIED, ""
        if self._handler is None:
            return Outcome.REQUIRES_RESTART, ""
        try:
            return self._handler(values), ""
        except ConfigError as error:
            return Outcome.REJECTED, "; ".join(error.problems)
        except Exception as error:
            log.exception("settings cannot be applied")
            return Outcome.REJECTED, f"it failed: {type(error).__name__}"
