"""What a failed call of the network module means."""

import grpc

from logos_base.errors import LogosError
from logos_delivery.core.errors import NetworkUnavailableError
from logos_module.network.denials import denied

MODULE = "delivery"


def failure_of(error: grpc.aio.AioRpcError, method: str) -> LogosError:
    """Returns the error for a call that failed for no reason of its own."""
    if error.code() is grpc.StatusCode.PERMISSION_DENIED:
        return denied(MODULE, method)
    return NetworkUnavailableError(
        f"the network module did not take {method}: {error.details() or error.code().name}"
    )
