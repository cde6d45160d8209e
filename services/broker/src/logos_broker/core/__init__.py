"""What containers may be, and what they are."""
