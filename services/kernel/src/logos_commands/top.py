"""`logosctl top`: what the modules of a node use and do, live. Also for `module stats`."""

import sys
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

import grpc
import typer

from logos.kernel.v1 import module_pb2, stats_pb2
from logos.kernel.v1.supervisor_pb2_grpc import SupervisorStub
from logos_cli.console import Output, print_json_line, print_rows, sized
from logos_cli.session import FormOption, Session, session_of

CLEAR: Final = "\x1b[H\x1b[2J"
"""Moves to the first line and clears the screen (ECMA-48)."""

COLUMNS: Final = (
    "module",
    "state",
    "cpu",
    "memory",
    "resident",
    "read",
    "written",
    "restarts",
    "in_flight",
    "calls",
    "failed",
    "slowest_p99",
)
METHOD_COLUMNS: Final = ("method", "calls", "failed", "p50", "p99")

IntervalOption = Annotated[
    float, typer.Option("--interval", min=1.0, max=3600.0, help="Seconds between two readings.")
]


def command(
    context: typer.Context, interval: IntervalOption = 2.0, output: FormOption = None
) -> None:
    """Show what the modules use and do, live. As JSON it is one document each time."""
    session = session_of(context)
    watch_stats(session, [], interval, session.form(output))


def watch_stats(session: Session, modules: list[str], interval_s: float, form: Output) -> None:
    """Prints figures again and again: over one another on a terminal."""
    request = stats_pb2.WatchStatsRequest(modules=modules)
    request.interval.FromMilliseconds(int(1000 * interval_s))

    async def work(channel: grpc.aio.Channel) -> None:
        before: dict[str, stats_pb2.ModuleStats] = {}
        async for response in SupervisorStub(channel).WatchStats(request):
            records = [record(one, before.get(one.module)) for one in response.stats]
            before = {one.module: one for one in response.stats}
            if form is Output.JSON:
                print_json_line({"node": session.node, "stats": records})
                continue
            if sys.stdout.isatty():
                sys.stdout.write(CLEAR)
            print_rows(shown_rows(records), COLUMNS, form)
            sys.stdout.flush()

    session.call(work)


def record(
    one: stats_pb2.ModuleStats, before: stats_pb2.ModuleStats | None = None
) -> dict[str, Any]:
    """Figures as a record of the output; null is what is not known.

    `before`: an earlier reading, for the part of a CPU since.
    """
    used = one.usage if one.HasField("usage") else None
    return {
        "module": one.module,
        "state": module_pb2.ModuleState.Name(one.state).removeprefix("MODULE_STATE_").lower(),
        "epoch": one.epoch,
        "at": one.at.ToJsonString(),
        "restarts": one.restart_count,
        "in_flight": one.in_flight,
        "cpu_percent": None if before is None else _cpu_percent(one, before),
        "cpu_seconds": None if used is None else used.cpu_seconds,
        "rss_bytes": None if used is None else used.rss_bytes,
        "pss_bytes": None if used is None else used.pss_bytes or None,
        "read_bytes": _set(used, "read_bytes"),
        "written_bytes": _set(used, "written_bytes"),
        "methods": [_method(method) for method in one.methods],
    }


def shown_rows(records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns records as people read them."""
    return [
        {
            **one,
            "cpu": _cpu(one),
            "memory": _size(one["pss_bytes"]),
            "resident": _size(one["rss_bytes"]),
            "read": _size(one["read_bytes"]),
            "written": _size(one["written_bytes"]),
            "calls": sum(method["calls"] for method in one["methods"]),
            "failed": sum(method["failed"] for method in one["methods"]),
            "slowest_p99": _milliseconds(
                max((method["p99_seconds"] for method in one["methods"]), default=0)
            ),
        }
        for one in records
    ]


def method_rows(one: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the methods of one module as people read them."""
    return [
        {
            **method,
            "p50": _milliseconds(method["p50_seconds"]),
            "p99": _milliseconds(method["p99_seconds"]),
        }
        for method in one["methods"]
    ]


def _method(one: stats_pb2.MethodStats) -> dict[str, Any]:
    return {
        "method": one.method,
        "calls": one.calls,
        "failed": one.failed,
        "p50_seconds": one.p50_seconds,
        "p99_seconds": one.p99_seconds,
    }


def _cpu_percent(one: stats_pb2.ModuleStats, before: stats_pb2.ModuleStats) -> float | None:
    """Returns the part of one CPU since an earlier reading; None for another process."""
    passed_s = (one.at.ToNanoseconds() - before.at.ToNanoseconds()) / 1e9
    used_s = one.usage.cpu_seconds - before.usage.cpu_seconds
    is_same = one.HasField("usage") and before.HasField("usage") and one.epoch == before.epoch
    return round(100 * used_s / passed_s, 1) if is_same and passed_s > 0 else None


def _cpu(one: dict[str, Any]) -> str | None:
    if one["cpu_percent"] is not None:
        return f"{one['cpu_percent']:.1f} %"
    return None if one["cpu_seconds"] is None else f"{one['cpu_seconds']:.1f} s"


def _set(
    used: stats_pb2.ProcessUsage | None, field: Literal["read_bytes", "written_bytes"]
) -> int | None:
    return None if used is None or not used.HasField(field) else int(getattr(used, field))


def _size(count: int | None) -> str | None:
    return None if count is None else sized(count)


def _milliseconds(time_s: float) -> str | None:
    return f"{1000 * time_s:g} ms" if time_s else None
