"""What modules share that mirror a published HTTP interface (docs/adr/0033).

Needs the extra `http` of this package. Nothing of it is loaded before it is imported.
"""
