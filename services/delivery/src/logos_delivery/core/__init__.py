"""Pure protocol: bytes, times and events in, values and effects out."""
