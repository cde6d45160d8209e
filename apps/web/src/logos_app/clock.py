"""The time, read here alone."""

import time
from datetime import datetime


def now_s() -> int:
    """Seconds since 1970 UTC."""
    return int(time.time())  # noqa: TID251 - the one place


def now_ms() -> int:
    """Milliseconds since 1970 UTC."""
    return int(time.time() * 1000)  # noqa: TID251 - the one place


def local(at_s: float) -> datetime:
    """A time in the zone of this machine, where the app's reader sits too."""
    return datetime.fromtimestamp(at_s).astimezone()
