"""The encodings that ids are written in, and what a proof to be made looks like."""
