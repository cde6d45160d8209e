"""The registry of rate limits' members: what deposits into its channel come to. A pure core.

Spec: docs/protocol/rln-registry.md.
"""
