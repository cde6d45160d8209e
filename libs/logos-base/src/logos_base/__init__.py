"""What every room may use: errors, ids, encodings, ports. Standard library only."""
