"""What every room may use: errors and manifests. Standard library only."""
