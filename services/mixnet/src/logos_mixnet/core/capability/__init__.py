"""Capability discovery: who offers a service, found without a registry.

Spec: docs/protocol/discovery.md; DIS-1 for its protocol.
"""
