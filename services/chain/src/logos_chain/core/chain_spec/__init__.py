"""The chain specification: all that nodes of one chain agree on before its first block.

Pure: files are read and written, and keys of circuits made, by others.

Spec: docs/protocol/chain-genesis.md.
"""
