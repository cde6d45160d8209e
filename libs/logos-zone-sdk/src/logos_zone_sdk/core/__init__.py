"""The protocol of zones without I/O: machines, and the values that they keep."""
