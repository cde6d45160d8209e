"""What a kernel does for its callers: one file for each use case."""
