"""Reliable channels: payloads in segments, segments in causal order, each of them acknowledged."""
