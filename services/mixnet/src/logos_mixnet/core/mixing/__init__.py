"""The mix: what a relay does with packets, and when (docs/protocol/mix.md). Pure."""
