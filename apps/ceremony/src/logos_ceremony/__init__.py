"""The command of a setup to which many contribute: `python -m logos_ceremony`."""
