"""What the module does for its callers: one feature a file."""
