"""Logs of modules: the newest lines, and new ones as they are written."""

from typing import TYPE_CHECKING, Final

import grpc

from logos.kernel.v1 import supervisor_pb2, supervisor_pb2_grpc
from logos_app.live.streams import Message, Tab
from logos_app.nodes.doors import CALL_S
from logos_app.shown.problems import Problem, problem_of
from logos_app.testnet.logs import LogLine, read_line

if TYPE_CHECKING:
    from logos_app.shell.pages import Shell

LOG: Final = "log:"
LINES: Final = 200


async def page_of(
    channel: grpc.aio.Channel, node: str, module: str
) -> tuple[list[LogLine], Problem | None]:
    """The newest lines, and what has kept more from being read."""
    request = supervisor_pb2.StreamLogsRequest(module=module, tail=LINES)
    lines: list[LogLine] = []
    try:
        stream = supervisor_pb2_grpc.SupervisorStub(channel).StreamLogs(request, timeout=CALL_S)
        async for response in stream:
            lines.append(read_line(response.line))  # noqa: PERF401 - kept where it fails midway
    except grpc.aio.AioRpcError as error:
        return lines, problem_of(error, node)
    return lines, None


async def follow_log(shell: "Shell", tab: Tab, node: str, module: str) -> None:
    """Sends a tab the lines that are written from now on, until it is cancelled.

    A tab that reads too slowly is told to read its page again, as with all that it is sent.
    """
    request = supervisor_pb2.StreamLogsRequest(module=module, tail=1, follow=True)
    is_first = True
    try:
        stub = supervisor_pb2_grpc.SupervisorStub(shell.doors.to(node))
        async for response in stub.StreamLogs(request):
            if not is_first:  # the page has it
                text = shell.partial("log_part.html", line=read_line(response.line))
                tab.put(Message(text))
            is_first = False
    except grpc.aio.AioRpcError:
        return  # the page says so when it is read
