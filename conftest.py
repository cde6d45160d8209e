"""What holds for all tests: machines are shared and stall, so nothing is timed."""

from hypothesis import settings

settings.register_profile("shared-machine", settings(), deadline=None)
settings.load_profile("shared-machine")
