"""Says where the time of `.ci/run` went: a line each check and tier, the rest, and all of it.

python3 .ci/times.py FOLDER SECONDS    check.json and test.json, as far as it came; all
"""
# ruff: noqa: INP001 - a program, imported by nobody

import json
import sys
from pathlib import Path


def steps(folder: Path) -> list[tuple[str, float]]:
    """The checks and tiers that have ended, with their seconds."""
    found = []
    for name, key, one in (("check", "checks", "check"), ("test", "runs", "tier")):
        try:
            document = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # it was not begun, or was interrupted
        found += [(f"{name} {each[one]}", float(each["seconds"])) for each in document[key]]
    return found


def main() -> int:
    """Prints the table."""
    done, total = steps(Path(sys.argv[1])), float(sys.argv[2])
    rest = max(0.0, total - sum(seconds for _, seconds in done))
    lines = [*done, ("everything else", rest), ("all", total)]
    sys.stderr.write("\nwhere the time went\n")
    for step, seconds in lines:
        sys.stderr.write(f"  {step:<20} {seconds:8.1f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
