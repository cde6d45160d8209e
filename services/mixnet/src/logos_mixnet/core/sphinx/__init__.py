"""Packets of the mix: made, unwrapped hop by hop, answered, and cut from longer messages.

Pure functions: keys, randomness and the time are arguments. Nothing here forwards, waits or
remembers; the keeper of the tags recognises a replay.

Spec: docs/protocol/mix.md.
"""
