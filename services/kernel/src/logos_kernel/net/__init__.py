"""Processes, timers and the router: what runs the effects of `core`."""
