"""Metrics of a process, for Prometheus."""

from prometheus_client import REGISTRY, CollectorRegistry, start_http_server

from logos_module.server import AddressInUseError


def serve_metrics(listen: tuple[str, int] | None, registry: CollectorRegistry = REGISTRY) -> None:
    """Serves metrics at a host and port; None: does nothing. Raises `AddressInUseError`.

    `registry`: what is served; else all of this process.
    """
    if listen is None:
        return
    host, port = listen
    try:
        start_http_server(port, host, registry)
    except OSError as error:
        raise AddressInUseError(f"cannot listen at {host}:{port}: {error.strerror}") from error
