"""The servicers of `logos.network.v1`."""
