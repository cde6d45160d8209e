"""What a failed call of the network module means."""

import grpc

from logos_base.errors import LogosError
from logos_module.network import calls

MODULE = "delivery"


def failure_of(error: grpc.aio.AioRpcError, method: str) -> LogosError:
    """Returns the error for a call that failed for no reason of its own."""
    return calls.failure_of(error, MODULE, method)
