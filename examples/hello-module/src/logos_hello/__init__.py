"""An example module: greets."""
