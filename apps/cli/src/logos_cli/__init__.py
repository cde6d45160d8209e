"""`logosctl`, and the commands behind `./logos`."""

import os

# gRPC's core reads this when it is imported; its INFO lines, as on a peer that goes away,
# do not concern the user of a command.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
