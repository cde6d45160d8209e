"""`logosctl`, and the commands behind `./logos`."""
