"""Keeps a call whose method name is no UTF-8 from ending the server that it comes to.

The task of grpc.aio (1.85) that accepts calls decodes the name of each; where that fails, the
task ends, and the server shuts down with all of its calls. The name is in the hands of compiled
code until then, so there is nothing to check or to catch. What can be reached is how Python
decodes strictly: within that task, and nowhere else, what is no UTF-8 becomes U+FFFD. No method
has such a name, so the call ends as any other to a method that is not there.
"""

import asyncio
import codecs
from typing import Final

_ACCEPTS: Final = "AioServer._server_main_loop"


def make_method_names_safe() -> None:
    """Replaces how this process decodes strictly. Again, it changes nothing."""
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
