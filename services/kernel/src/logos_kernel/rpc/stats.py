"""The figures of modules in messages."""

from logos.kernel.v1 import stats_pb2 as pb
from logos_kernel.core.stats import Stats
from logos_kernel.rpc.convert import state_to_pb, timestamp


def stats_to_pb(one: Stats) -> pb.ModuleStats:
    """Converts figures."""
    usage = None
    if one.usage is not None:
        usage = pb.ProcessUsage(
            cpu_seconds=one.usage.cpu_s,
            rss_bytes=one.usage.rss_bytes,
            read_bytes=one.usage.read_bytes,
            written_bytes=one.usage.written_bytes,
            pss_bytes=one.usage.pss_bytes,
        )
    return pb.ModuleStats(
        module=one.module,
        state=state_to_pb(one.state),
        epoch=one.epoch,
        restart_count=one.restart_count,
        at=timestamp(one.at_ms),
        usage=usage,
        in_flight=one.in_flight,
        methods=[
            pb.MethodStats(
                method=method.method,
                calls=method.calls,
                failed=method.failed,
                p50_seconds=method.p50_s,
                p99_seconds=method.p99_s,
            )
            for method in one.methods
        ],
    )
