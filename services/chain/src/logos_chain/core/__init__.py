"""Pure protocol of the chain."""
