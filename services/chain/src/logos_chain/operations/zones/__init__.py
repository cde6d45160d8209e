"""Zones at a node: the machines of `logos_zone_sdk` beside the chain, without a network between.

Spec: docs/protocol/zone-sdk.md, ZON-19 to ZON-24.
"""
