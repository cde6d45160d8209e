"""What a failed call of the network module means."""

import grpc

from logos_base.errors import LogosError, NetworkUnavailableError
from logos_module.network.denials import denied


def failure_of(error: grpc.aio.AioRpcError, module: str, method: str) -> LogosError:
    """Returns the error for a call that failed for no reason of its own.

    Args:
        error: Of the call.
        module: The name of the module that has called.
        method: Of the network module, e.g. `Peering/ListPeers`.
    """
    if error.code() is grpc.StatusCode.PERMISSION_DENIED:
        return denied(module, method)
    return NetworkUnavailableError(
        f"the network module did not take {method}: {error.details() or error.code().name}"
    )
