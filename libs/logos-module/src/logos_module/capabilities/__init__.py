"""Capability tokens: made by a node's kernel, verified offline by the callee (KER-15)."""
