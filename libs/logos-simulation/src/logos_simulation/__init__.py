"""Machines of many nodes on virtual time, with seeded faults. For tests only.

A `World` has the time, the chance and the trace; its `Node`s crash, stall and lose what was
not durable; `Links` carry messages between them, late, out of order, or not at all; a `Run`
does for a machine here what the driver of `logos_module` does on an event loop. A seed gives
the same run every time: `LOGOS_SIMULATION_SEED` repeats one alone.
"""
