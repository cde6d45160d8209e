"""Testnets on one machine: what they are, how they start, and what they must withstand."""
