"""Where the browser of the tests is: Debian's, never one that is downloaded."""

import shutil
from typing import Final

CHROMIUM: Final = shutil.which("chromium")
