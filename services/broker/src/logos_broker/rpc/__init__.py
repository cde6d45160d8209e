"""The broker's gRPC service."""
