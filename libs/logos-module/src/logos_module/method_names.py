"""Prevents that a call whose method name is not UTF-8 ends the server.

The task of grpc.aio (1.85) that accepts calls decodes the name of each; if that fails, the task
ends, and the server shuts down with all of its calls. Compiled code does so, and leaves no place
to check or to catch. It uses Python's `strict` error handler, which is replaced here: in that
task, and nowhere else, bytes that are not UTF-8 become U+FFFD. No method has such a name, so
the call ends as UNIMPLEMENTED.
"""

import asyncio
import codecs
from typing import Final

_ACCEPTS: Final = "AioServer._server_main_loop"


def make_method_names_safe() -> None:
    """Replaces the `strict` error handler of this process. Idempotent."""
    codecs.register_error("strict", _strict_but_for_names)


def _strict_but_for_names(error: UnicodeError) -> tuple[str | bytes, int]:
    if isinstance(error, UnicodeDecodeError) and _is_accepting():
        return "\ufffd", error.end
    return codecs.strict_errors(error)


def _is_accepting() -> bool:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return False
    return task is not None and getattr(task.get_coro(), "__qualname__", "") == _ACCEPTS
