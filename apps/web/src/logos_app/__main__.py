"""`python -m logos_app`: serves the app until it is told to stop."""

import sys

from logos_app.serving import main

if __name__ == "__main__":
    sys.exit(main())
