"""The Logos App: a testnet in the browser. A client of front doors like any other."""
