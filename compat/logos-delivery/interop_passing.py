"""`interop_passing.py RESULTS LIST`: adds the tests that passed to a list of their ids.

Results are a JUnit file.
"""

import sys
from pathlib import Path
from xml.etree import ElementTree as ET


def passed(results: Path) -> set[str]:
    """Returns the ids of the tests that passed, as pytest writes them."""
    found = set()
    for case in ET.parse(results).iter("testcase"):  # noqa: S314 -- pytest's own
        if not {"failure", "error", "skipped"} & {each.tag for each in case}:
            module, _, group = case.get("classname", "").rpartition(".")
            found.add(f"{module.replace('.', '/')}.py::{group}::{case.get('name')}")
    return found


def main(results: Path, listed: Path) -> int:
    """Writes the list anew, in order, and says what it has."""
    known = set(listed.read_text(encoding="utf-8").splitlines()) if listed.exists() else set()
    now = passed(results)
    listed.write_text("".join(f"{each}\n" for each in sorted(known | now)), encoding="utf-8")
    sys.stdout.write(f"{len(now)} passed, {len(now - known)} for the first time, ")
    sys.stdout.write(f"{len(known | now)} listed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
