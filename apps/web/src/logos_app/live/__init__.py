"""The stream to browsers: one a tab, fed from one subscription a node."""
