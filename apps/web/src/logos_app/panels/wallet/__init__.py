"""The panel Wallet, of the module chain."""
