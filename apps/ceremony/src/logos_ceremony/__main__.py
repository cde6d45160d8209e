"""Runs the command."""

import sys

from logos_ceremony.command import main

sys.exit(main())
