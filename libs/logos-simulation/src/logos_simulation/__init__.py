"""Runs the machines of many nodes on virtual time, with seeded faults. For tests only.

A `World` has the clock, the random generator and the trace. Its `Node`s crash, stall and lose
data that was not synchronised. `Links` carry messages between them, delayed, reordered, or not
at all. A `Run` runs one machine, as the driver of `logos_module` does on an event loop. A seed
gives the same run every time; `LOGOS_SIMULATION_SEED` selects a single one.
"""
