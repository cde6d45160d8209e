"""What every testnet must withstand, written once for processes and containers.

A scenario gets a running testnet, does not know its runtime, and leaves it as it found it:
up, READY and connected. It fails by `AssertionError`.
"""
