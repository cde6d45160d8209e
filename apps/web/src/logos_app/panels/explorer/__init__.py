"""The panel Explorer, of the module chain."""
