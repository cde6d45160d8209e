"""The registry of members along the final chain, and what this node adds to it.

The rules are in core/registry/. Spec: docs/protocol/rln-registry.md.
"""
