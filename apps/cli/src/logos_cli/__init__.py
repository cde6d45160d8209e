"""`logosctl` and the commands of `./logos`."""

import os

# gRPC's core reads this when it is imported; its INFO lines, e.g. on lost connections, do not
# concern the user of a command.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
