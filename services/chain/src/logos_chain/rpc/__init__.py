"""The gRPC surface of the module."""
