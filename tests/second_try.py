"""Tries those tests once more, by themselves, that failed in real time beside others, and says loudly which.

    python -m tests.second_try [PYTEST OPTION]...

A device's process that a busy machine did not run for longer than a line may be silent ends a session, and rightly so:
such a test fails although nothing is wrong. A defect that shows on a busy machine only looks the same, so that whoever
reads `SECOND TRY` has to look at the first failure. More than a few failures are none of a machine that was late.
"""

import json
import subprocess
import sys
from pathlib import Path

LAST_FAILED = Path(".pytest_cache/v/cache/lastfailed")
MOST = 3  # tests that a machine may be late for in one run [choice]


def main(options: list[str]) -> int:
    """The exit code of the second try; 1 where there is none."""
    names = sorted(json.loads(LAST_FAILED.read_text("utf-8"))) if LAST_FAILED.is_file() else []
    if not 0 < len(names) <= MOST:
        sys.stdout.write(f"no second try: {len(names)} tests failed, and {MOST} at most are tried again\n")
        return 1
    again = [sys.executable, "-m", "pytest", "-q", "--last-failed", "--last-failed-no-failures", "none", *options]
    code = subprocess.run(again, check=False).returncode
    how = "passed by themselves: look at why they failed at first" if code == 0 else "failed by themselves too"
    sys.stdout.write(f"SECOND TRY of {len(names)}, {how}: {', '.join(names)}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
