"""Runs the driver's side of a scenario as a process of its own, and leaves the result in a file for its parent.

python -m stimlab.play.host_process URL SCENARIO JOURNAL RESULT [LEDGER]
"""

import pickle
import sys
from pathlib import Path

from stimlab.play.realtime import JournalReader, host_in_real_time
from stimlab.scenario.reader import load_scenario, prescribed


def main(url: str, scenario_file: str, journal_file: str, result: str, ledger: str | None = None) -> None:
    """Run the session and leave its `HostResult` in `result`."""
    scenario = load_scenario(Path(scenario_file))
    journal = JournalReader(Path(journal_file))
    side = host_in_real_time(scenario, prescribed(scenario), url, journal, None if ledger is None else Path(ledger))
    Path(result).write_bytes(pickle.dumps(side))


if __name__ == "__main__":
    main(*sys.argv[1:])
