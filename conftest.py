"""What holds for all tests: machines are shared and stall, so nothing is timed."""

import os

from hypothesis import settings

# gRPC reads it once, when it is imported: its INFO lines are no part of a test's output.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")

settings.register_profile("shared-machine", settings(), deadline=None)
settings.load_profile("shared-machine")
