"""The command of a setup with many contributors: `python -m logos_ceremony`."""
