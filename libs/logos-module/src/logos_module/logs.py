"""Logs as JSON lines on stderr: `time`, `level`, `logger`, `message`, then the data."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line. What stands in `extra` becomes fields."""

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


class Throttle:
    """Lets one line through in a period, and counts those that are left out."""

    def __init__(self, period_s: float = 1.0) -> None:
        self._period_s = period_s
        self._next_s = 0.0
        self._left_out = 0

    def admit(self, now_s: float) -> int | None:
        """Returns how many lines were left out before this one; None if it is left out too.

        Args:
            now_s: The time on a clock that only goes forward, in seconds.
        """
        if now_s < self._next_s:
            self._left_out += 1
            return None
        left_out, self._left_out = self._left_out, 0
        self._next_s = now_s + self._period_s
        return left_out


def _is_of_this_process(record: logging.LogRecord) -> bool:
    """Leaves out that an answer did not reach a caller that was gone: gRPC (1.85) logs a trace."""
    return "ExecuteBatchError raised in core" not in record.getMessage()


def configure(module: str, level: str) -> None:
    """Sends every log of this process to stderr as JSON. `level` as in `logging`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(module))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_of_this_process)
