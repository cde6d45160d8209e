"""Zones on the chain: a sequencer writes to a channel, an indexer reads it, its keys govern it.

`sequencer.ZoneSequencer`, `indexer.ZoneIndexer` and `governing.ZoneGovernor` talk to a node by
gRPC. What they decide is in `core`, which does no I/O.

Spec: docs/protocol/zone-sdk.md.
"""
