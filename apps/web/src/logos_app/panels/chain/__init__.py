"""What the panels Wallet and Explorer share: both are of the module chain."""
