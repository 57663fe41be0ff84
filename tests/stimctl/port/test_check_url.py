"""What is wrong with a URL is known before anything is opened."""

from pathlib import Path

import pytest
from serial.tools import list_ports

from stimctl.errors import LineLost, Misuse
from stimctl.port import check_url


@pytest.mark.parametrize(
    "url",
    ["sim://", "sim://?pace=real&seed=2", "/dev/ttyUSB0", "/dev/ttyUSB0?dtr=off", "COM3", "socket://localhost:7000"],
)
def test_a_good_url_passes_whether_or_not_anything_is_there(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sim://?x=1", "no option 'x'"),
        ("sim://?pace=fast", "pace"),
        ("sim://?pace=\uff12", "pace"),
        ("", "no port is named"),
        ("sim://?seed=1&seed=2", "given twice"),
        ("sim://?load=odd", "odd"),
        ("/dev/ttyUSB0?dtr=maybe", "dtr=on, dtr=off"),
        ("socket://localhost", "name a host and its TCP port"),
        ("nothing://x", "nothing"),
        ("hwgrep://", "every port fits that"),
        ("hwgrep://&skip_busy", "every port fits that"),
        ("hwgrep://.*", "every port fits that"),
        ("spy://", "no port is named"),
        ("spy://?color", "no port is named"),
        ("alt://?class=VTIMESerial", "no port is named"),
        ("spy:///dev/x?colour", "spy:// has no option 'colour'; the options are file, color, raw, all"),
        ("loop://?x", "loop:// has no option 'x'; the options are logging"),
        ("loop://?logging", "option 'logging' is '': it must be debug or info or warning or error"),
        ("socket://h:1?logging=x", "option 'logging' is 'x': it must be debug or info or warning or error"),
        ("rfc2217://h:1?logging=x", "option 'logging' is 'x'"),
        ("rfc2217://h:1?x", "rfc2217:// has no option 'x'; the options are logging, ign_set_control"),
    ],
)
def test_a_bad_one_is_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(Misuse) as refused:
        check_url(url)
    assert sentence in str(refused.value)


def test_a_search_that_finds_no_port_is_a_line_that_is_not_there() -> None:
    with pytest.raises(LineLost, match="no ports found"):
        check_url("hwgrep://no port is called so")


def test_a_search_that_finds_several_ports_takes_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [("/dev/ttyUSB1", "USB serial", "ser=2"), ("/dev/ttyUSB0", "USB serial", "ser=1")]
    monkeypatch.setattr(list_ports, "grep", lambda pattern: [each for each in there if pattern in " ".join(each)])
    for several in ("hwgrep://USB serial", "hwgrep://USB serial&skip_busy"):
        with pytest.raises(Misuse, match="/dev/ttyUSB0 and /dev/ttyUSB1 fit that; name what its port alone has"):
            check_url(several)
    check_url("hwgrep://ser=2")
    check_url("hwgrep://USB serial&n=2")  # asked for in so many words


def test_a_file_that_is_there_is_kept_from_a_spy_and_none_is_made_by_looking(tmp_path: Path) -> None:
    kept, new = tmp_path / "kept", tmp_path / "new"
    kept.write_text("of another day")
    with pytest.raises(Misuse, match="kept exists already; a record of a line is never replaced"):
        check_url(f"spy:///dev/ttyUSB0?file={kept}")
    check_url(f"spy:///dev/ttyUSB0?file={new}")
    check_url("spy:///dev/ttyUSB0?file=/dev/null")
    assert kept.read_text() == "of another day"
    assert not new.exists()
