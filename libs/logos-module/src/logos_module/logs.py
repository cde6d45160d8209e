"""Logs as JSON lines on stderr: `time`, `level`, `logger`, `message`, then the data."""

import json
import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

MAX_FAULTS: Final = 256
"""Different faults whose repeats are counted."""


class JsonFormatter(logging.Formatter):
    """One JSON object per line. Values in `extra` become fields."""

    def __init__(self, module: str) -> None:
        super().__init__()
        self._module = module

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, tz=UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "module": self._module,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({key: value for key, value in vars(record).items() if key not in _STANDARD})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class RateLimit(logging.Filter):
    """Passes one record a second, with the number of records dropped before it in `left_out`.

    For records that peers cause: they must not be able to fill a disk. `clock` counts seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._open_at_s = 0.0
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        now_s = self._clock()
        if now_s < self._open_at_s:
            self._left_out += 1
            return False
        record.left_out = self._left_out
        self._open_at_s, self._left_out = now_s + 1, 0
        return True


class Repeats(logging.Filter):
    """Passes one record a second of the same fault; `left_out` counts those dropped before it.

    The same are records from WARNING up of one logger, with one text before its arguments, about
    one module (`of`). `clock` counts seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._known: OrderedDict[tuple[object, ...], tuple[float, int]] = OrderedDict()
        """When each may be written again, and how many were dropped; at most 256, oldest first."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        key = record.name, record.levelno, str(record.msg), str(getattr(record, "of", ""))
        now_s = self._clock()
        open_at_s, left_out = self._known.get(key, (0.0, 0))
        if now_s < open_at_s:
            self._known[key] = open_at_s, left_out + 1
            return False
        if left_out:
            record.left_out = left_out + getattr(record, "left_out", 0)
        self._known[key] = now_s + 1, 0
        self._known.move_to_end(key)
        if len(self._known) > MAX_FAULTS:
            self._known.popitem(last=False)
        return True


class _CallerFaults(RateLimit):
    """The same for faults of callers, which gRPC (1.85) logs with a trace.

    They are metadata that is not UTF-8, and responses to callers that have disconnected.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if not str(record.msg).startswith(("Invalid encoding on", "ExecuteBatchError raised")):
            return True
        record.exc_info = None
        return super().filter(record)


def set_level(level: str) -> None:
    """Writes records from a level on: DEBUG, INFO, WARNING or ERROR."""
    logging.getLogger().setLevel(level)


def configure(module: str, level: str) -> None:
    """Sends every log of this process to stderr as JSON. `level` as in `logging`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(module))
    handler.addFilter(Repeats())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("grpc._cython.cygrpc").addFilter(_CallerFaults())
