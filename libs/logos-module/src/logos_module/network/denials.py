"""What the rules of this node keep a module from (KER-17)."""

from logos_base.errors import NetworkDeniedError


def denied(module: str, method: str) -> NetworkDeniedError:
    """Returns the error for a method of the network module, e.g. `Streams/Carry`."""
    name = f"logos.network.v1.{method}"
    return NetworkDeniedError(
        f"this node does not let {module} call {name}: `logosctl explain {module} mixnet {name}`"
        " shows the rule"
    )
