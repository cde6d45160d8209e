"""The panel Files, of the module storage."""
