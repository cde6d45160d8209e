"""The kernel of a node: starts its modules, restarts them, routes calls to them.

Rules: docs/protocol/kernel.md, cited as KER-n.
"""
