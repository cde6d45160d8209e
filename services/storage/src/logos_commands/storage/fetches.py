"""`logosctl storage fetch`, `fetches` and `cancel`: content that is kept on a node."""

import asyncio
from typing import Annotated, Any, Final

import grpc
import typer

from logos.storage.v1 import storage_pb2
from logos.storage.v1.storage_pb2_grpc import StorageStub
from logos_base.errors import ErrorKind, LogosError
from logos_cli.console import Output, print_json, print_json_line, print_rows, shown, sized, stderr
from logos_cli.session import FormOption, Session, session_of
from logos_commands.storage.records import ADVICE, CidArgument
from logos_commands.storage.transfers import Bar, progress_bar

_MAX_PATIENCE_S: Final = 7 * 24 * 3600
_COLUMNS: Final = ("cid", "state", "held", "rate", "time_left", "filename", "reason")
_KINDS: Final = {
    "NO_PROVIDERS": ErrorKind.NOT_FOUND,
    "PROVIDERS_UNREACHABLE": ErrorKind.UNAVAILABLE,
}


class FetchFailedError(LogosError):
    """A fetch has ended, and not all is here. Has the node's own reason."""

    def __init__(self, progress: storage_pb2.FetchProgress) -> None:
        advice = ADVICE.get(progress.reason)
        why = shown(progress.detail) or "the fetch was cancelled"  # the node may not be ours
        super().__init__(f"{why}; {advice}" if advice else why)
        self.reason = progress.reason or "CANCELLED"  # type: ignore[misc]  # of this instance
        self.kind = _KINDS.get(self.reason, ErrorKind.ABORTED)  # type: ignore[misc]


def fetch(
    context: typer.Context,
    cid: CidArgument,
    *,
    patience: Annotated[
        int, typer.Option(min=1, max=_MAX_PATIENCE_S, help="Seconds to wait for a block.")
    ] = 3600,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Do not wait for it.")] = False,
    output: FormOption = None,
) -> None:
    """Have the node fetch a file from others and keep it; nothing is sent here.

    It goes on when this command is interrupted. With --output json each step is a line of JSON.
    """
    session = session_of(context)
    request = storage_pb2.FetchRequest(cid=cid)
    request.patience.FromSeconds(patience)
    as_json = session.form(output) is Output.JSON

    async def work(channel: grpc.aio.Channel) -> storage_pb2.FetchProgress:
        stub = StorageStub(channel)
        begun = (await stub.Fetch(request, timeout=session.timeout_s)).progress
        if detach:
            return begun
        try:
            return await _follow(stub, begun, as_json=as_json)
        except asyncio.CancelledError:
            _tell(session, f"the fetch goes on; `logosctl storage cancel {cid}` ends it")
            raise

    ended = session.call(work)
    if detach and as_json:
        print_json(record(ended))
    elif detach:
        _tell(session, "it is being fetched; `logosctl storage fetches` shows how far it is")
    elif ended.state == storage_pb2.FETCH_STATE_DONE:
        _tell(session, f"all of it is here, {sized(ended.total_bytes)}")


def list_fetches(context: typer.Context, output: FormOption = None) -> None:
    """List the node's fetches under way and the last that have ended, newest first."""
    session = session_of(context)
    request = storage_pb2.ListFetchesRequest(page_size=1000)
    pages = session.pages(lambda channel: StorageStub(channel).ListFetches, request)
    rows = [record(progress) for page in pages for progress in page.fetches]
    print_rows(rows, _COLUMNS, session.form(output))


def cancel(context: typer.Context, cid: CidArgument, output: FormOption = None) -> None:
    """End a fetch; what has come is kept."""
    session = session_of(context)
    request = storage_pb2.CancelFetchRequest(cid=cid)
    answer = session.ask(lambda channel: StorageStub(channel).CancelFetch, request)
    ended = record(answer.progress)
    session.report(ended, f"{ended['state']}, {ended['held'] or 'nothing of it'} is here", output)


async def _follow(
    stub: Any, begun: storage_pb2.FetchProgress, *, as_json: bool
) -> storage_pb2.FetchProgress:
    """Shows a fetch to its end; FetchFailedError where not all came."""
    last, reason = begun, ""
    with progress_bar(f"fetch {begun.cid[:16]}…") as bar:
        shown_bytes = 0
        async for response in stub.WatchFetch(storage_pb2.WatchFetchRequest(cid=begun.cid)):
            last = response.progress
            if as_json:
                print_json_line(record(last))
            shown_bytes = _advance(bar, last, shown_bytes)
            is_waiting = last.state == storage_pb2.FETCH_STATE_WAITING
            if is_waiting and last.reason != reason:
                reason = last.reason
                stderr().print(f"waiting: {shown(last.detail)}", markup=False, highlight=False)
    if last.state != storage_pb2.FETCH_STATE_DONE:
        raise FetchFailedError(last)
    return last


def _advance(bar: Bar, progress: storage_pb2.FetchProgress, shown_bytes: int) -> int:
    """Moves a bar to where a fetch is; returns where that is."""
    if progress.HasField("dataset"):
        bar.expect(progress.total_bytes)
    bar.advance(progress.held_bytes - shown_bytes)
    return progress.held_bytes


def record(progress: storage_pb2.FetchProgress) -> dict[str, Any]:
    """How a fetch goes, as a record of the output."""
    is_known = progress.HasField("dataset")
    held = f"{sized(progress.held_bytes)} of {sized(progress.total_bytes)}" if is_known else None
    rate = progress.bytes_per_second
    left_s = progress.time_left.ToMilliseconds() / 1000 if progress.HasField("time_left") else None
    state = storage_pb2.FetchState.Name(progress.state)
    return {
        "cid": progress.cid,
        "state": state.removeprefix("FETCH_STATE_"),
        "held": held,
        "held_bytes": progress.held_bytes,
        "total_bytes": progress.total_bytes if is_known else None,
        "rate": f"{sized(rate)}/s" if rate else None,
        "bytes_per_second": rate,
        "time_left": None if left_s is None else f"{left_s:.0f} s",
        "time_left_s": left_s,
        "providers": list(progress.providers),
        "filename": progress.dataset.filename,
        "reason": progress.reason,
        "detail": progress.detail,
        **{name: _time_of(progress, name) for name in ("started_at", "next_try_at", "ended_at")},
    }


def _time_of(progress: storage_pb2.FetchProgress, name: str) -> str | None:
    return getattr(progress, name).ToJsonString() if progress.HasField(name) else None  # type: ignore[arg-type]


def _tell(session: Session, sentence: str) -> None:
    stderr().print(f"{session.node}: {sentence}", markup=False, highlight=False)
