"""An example module: a guestbook that uses storage, and a module in Go."""
