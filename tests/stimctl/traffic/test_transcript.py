"""A record of traffic comes back as it was written, and a bad one is refused with its line."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimctl.errors import InputInvalid
from stimctl.traffic.transcript import TrafficChunk, TrafficHeader, TrafficWriter, read_traffic

records = st.lists(
    st.builds(
        TrafficChunk,
        st.integers(0, 2**63 - 1),
        st.sampled_from(["host", "device"]),
        st.binary(min_size=1, max_size=100),
    ),
    max_size=10,
)
HEADER = '{"stimctl_traffic": 1, "url": "sim://", "simulator": true}\n'


def written(url: str, simulator: bool | None, entries: list[TrafficChunk]) -> str:
    out = io.StringIO()
    writer = TrafficWriter(out, url, simulator=simulator)
    for entry in entries:
        writer.record(*entry)
    return out.getvalue()


@given(st.text(), st.sampled_from([True, False, None]), records)
def test_what_was_recorded_is_read(url: str, simulator: bool | None, entries: list[TrafficChunk]) -> None:
    header, found = read_traffic("file", io.StringIO(written(url, simulator, entries)))
    assert header == TrafficHeader(url, simulator)
    assert list(found) == entries


def test_a_rehearsal_is_said_in_the_first_line() -> None:
    out = io.StringIO()
    TrafficWriter(out, "sim://", rehearsal=True)
    assert read_traffic("file", io.StringIO(out.getvalue()))[0].rehearsal is True
    with pytest.raises(InputInvalid, match="rehearsal"):
        read_traffic("file", io.StringIO(out.getvalue().replace("}", ', "rehearsal": "yes"}')))


def test_the_file_is_one_line_a_record_for_other_tools() -> None:
    text = written("/dev/ttyUSB0", None, [TrafficChunk(0, "host", b"\x02\x1f"), TrafficChunk(1_500, "device", b"\x00")])
    assert text.splitlines() == [
        '{"stimctl_traffic": 1, "url": "/dev/ttyUSB0", "simulator": null}',
        '{"at_us": 0, "from": "host", "bytes": "021f"}',
        '{"at_us": 1500, "from": "device", "bytes": "00"}',
    ]


def test_no_bytes_no_line() -> None:
    assert written("sim://", True, [TrafficChunk(5, "host", b"")]) == HEADER


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "line 1: line is ''"),
        ("[]", "one whole JSON object"),
        ('{"stimctl_traffic": 2, "url": "x", "simulator": null}', "stimctl_traffic is 2: must be 1"),
        ('{"url": "x"}', "is this a record of traffic"),
        ('{"stimctl_traffic": 1, "simulator": null}', "url: must be the port's URL"),
        ('{"stimctl_traffic": 1, "url": "x", "simulator": "no"}', "simulator is 'no'"),
    ],
)
def test_a_bad_header_is_refused_at_once(line: str, problem: str) -> None:
    with pytest.raises(InputInvalid, match=r"^file:\n") as refused:
        read_traffic("file", line.splitlines())
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"at_us": 3, "from": "ho', "may be cut short"),
        ('{"at_us": -1, "from": "host", "bytes": "00"}', "at_us is -1"),
        ('{"at_us": 9223372036854775808, "from": "host", "bytes": "00"}', "at_us is 9223372036854775808"),
        ('{"at_us": true, "from": "host", "bytes": "00"}', "at_us is True"),
        ('{"at_us": 1.5, "from": "host", "bytes": "00"}', "at_us is 1.5"),
        ('{"at_us": 1, "from": "me", "bytes": "00"}', "from is 'me'"),
        ('{"at_us": 1, "from": "host", "bytes": "0g"}', "bytes is '0g'"),
        ('{"at_us": 1, "from": "host", "bytes": ""}', "bytes is ''"),
        ('{"at_us": 1, "from": "host"}', "bytes: must be"),
    ],
)
def test_a_bad_record_is_refused_on_its_turn(line: str, problem: str) -> None:
    good = '{"at_us": 1, "from": "host", "bytes": "00"}'
    _, found = read_traffic("file", [HEADER, good, "\n", line])
    assert next(found) == TrafficChunk(1, "host", b"\x00")
    with pytest.raises(InputInvalid, match="line 4") as refused:
        next(found)
    assert problem in str(refused.value)


@given(st.lists(st.text(max_size=80), max_size=5))
def test_any_text_is_read_or_refused(lines: list[str]) -> None:
    for start in ([], [HEADER]):
        try:
            list(read_traffic("file", start + lines)[1])
        except InputInvalid:
            continue
