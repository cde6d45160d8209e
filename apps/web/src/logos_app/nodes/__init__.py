"""The nodes of the testnet, as their front doors tell of them."""
