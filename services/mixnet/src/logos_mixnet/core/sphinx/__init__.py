"""Packets of the mix: made, unwrapped hop by hop, answered, and cut from longer messages.

Pure functions: keys, randomness and the time are arguments. Nothing here forwards, waits or
remembers; a replay is recognised by whoever keeps the tags.

Spec: docs/protocol/mix.md.
"""
