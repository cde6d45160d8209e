"""`python -m logos_app.link`: prints a one-time link, beside an app with the same environment."""

import os
import sys

from logos_app.config import parse
from logos_base.errors import LogosError
from logos_client.link_codes import new_code


def main() -> int:
    """Returns the exit status."""
    try:
        config = parse(os.environ)
        print(f"{config.origin}/open#{new_code(config.links)}")  # noqa: T201 - its purpose
    except (LogosError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
