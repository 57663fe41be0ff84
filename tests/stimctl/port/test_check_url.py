"""What is wrong with a URL is known before anything is opened."""

import pytest

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
    ],
)
def test_a_bad_one_is_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(Misuse) as refused:
        check_url(url)
    assert sentence in str(refused.value)


def test_a_search_that_finds_no_port_is_a_line_that_is_not_there() -> None:
    with pytest.raises(LineLost, match="no ports found"):
        check_url("hwgrep://no port is called so")
