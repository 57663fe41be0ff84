"""Files that commands write of a session or a subject: of this user alone, and never in place of another unasked."""

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from stimctl.cli import codes, main
from stimctl.profile import examples_folder

BENCH = str(examples_folder() / "bench-2hz.toml")
RUN = f"run bench-2hz --port sim:// --prescription {BENCH}"
WRITING = [
    "log export latest --format csv -o FILE",
    "log subject example-bench -o FILE",
    "log report latest --html FILE",
    "course due --ics FILE",
    "prescription from-log latest -o FILE",
    f"{RUN} --save FILE",
    f"{RUN} --record-traffic FILE",
    "bench run --port sim:// --ohm 1000 --seconds 20 --telemetry FILE.csv",
    "bench sweep width --port sim:// --ohm 1000 --at 100us --seconds 1 --csv FILE",
]


def stimctl(words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, words.split(), catch_exceptions=False)
    return result.exit_code, result.output


@pytest.mark.parametrize("words", WRITING)
def test_a_file_is_its_users_alone_and_replaces_nothing(words: str, home: Path, tmp_path: Path) -> None:
    assert stimctl(RUN)[0] == codes.DONE
    assert stimctl("course new P-17 low-back-pain --simulated")[0] == codes.DONE
    words = words.replace("FILE", str(tmp_path / "file")).replace("example-bench", "P-17")
    code, told = stimctl(words)
    assert code == codes.DONE, told
    (written,) = tmp_path.iterdir()
    if os.name == "posix" and not words.startswith("bench"):  # where nobody is connected
        assert stat.S_IMODE(written.stat().st_mode) == 0o600
    written.write_bytes(b"another's")
    code, told = stimctl(words)
    assert code == codes.INVALID, told
    assert written.name in told
    assert written.read_bytes() == b"another's"
