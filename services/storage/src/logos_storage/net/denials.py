"""What the rules of this node keep storage from (KER-17)."""

from logos_storage.core.errors import NetworkDeniedError


def denied(method: str) -> NetworkDeniedError:
    """Returns the error for a method of the network module, e.g. `Streams/Carry`."""
    name = f"logos.network.v1.{method}"
    return NetworkDeniedError(
        f"this node does not let storage call {name}: `logosctl explain storage mixnet {name}`"
        " shows the rule"
    )
