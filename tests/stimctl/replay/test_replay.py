"""A record of a session is a test of the driver: it passes on the driver that made it, and fails on any other."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from firmware_sim.native.flash import FileFlash
from stimctl import limits
from stimctl.api import Session
from stimctl.errors import InputInvalid
from stimctl.ledger import Ledger
from stimctl.port import RecordedPort, open_port
from stimctl.prescription import Prescription, Subject
from stimctl.replay import ReplayResult, read_recording, replay
from stimctl.session.commands import AskHold, AskStop, AskTarget, Command, Lower, Proceed, Raise
from stimctl.session.engine import UNATTENDED, Engine
from stimctl.session.runner import Runner
from stimctl.session.states import End
from stimctl.stimulators import native
from stimctl.stimulators.discovery import NATIVE, DeviceChoice
from stimctl.traffic.decoder import Decoder
from stimctl.traffic.session_notes import session_note
from stimctl.traffic.transcript import TrafficWriter, read_traffic
from stimctl.wire.codec import Stop, encode
from stimctl.wire.codes import Purpose
from tests.stimctl.session.world import Cut, Gone, ListLog, Rig, S, Tape, forged, prescription

ORDERS: list[tuple[int, Command]] = [
    (2_500_000, Lower(1)),
    (3_000_000, Raise(1)),
    (3_100_000, Raise(1)),  # refused: too soon
    (4_000_000, AskTarget(1, 600)),
    (4_500_000, AskHold()),
    (5_500_000, Proceed()),
    (9_000_000, AskStop()),
]


def record(
    folder: Path,
    *,
    url: str = "sim://?seed=5",
    rx: Prescription | None = None,
    orders: list[tuple[int, Command]] | None = None,
    choice: DeviceChoice = NATIVE,
) -> Path:
    """A session as `stimctl run --record-traffic` records it."""
    path = folder / "session.traffic"
    rx = rx or prescription(seconds=2, profile="bench-100hz", amplitudes_ma={1: 0.5})
    with path.open("w", encoding="utf-8") as out, Ledger(folder / "ledger.sqlite") as ledger:
        traffic = TrafficWriter(out, url)
        with Session(url, rx, ledger, traffic=traffic, choice=choice) as session:
            session.run(orders or ())
    return path


def exactly(path: Path) -> ReplayResult:
    return replay(read_recording(path), tolerance_us=0)


def changed(path: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Path:
    """The same record with every line passed through `change`; None leaves it out."""
    lines = [change(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines if line is not None), "utf-8")
    return path


# --- the same driver --------------------------------------------------------------------------------


def test_a_session_with_orders_is_the_same_again(tmp_path: Path) -> None:
    rx = prescription(seconds=20, profile="bench-100hz", amplitudes_ma={1: 0.8})
    replayed = exactly(record(tmp_path, rx=rx, orders=ORDERS))
    assert replayed.difference is None
    assert replayed.report is not None
    assert replayed.report.end is End.OPERATOR


@pytest.mark.parametrize(
    ("url", "choice"),
    [
        ("sim://?device=stimjim&dialect=a", DeviceChoice("stimjim", "a")),
        ("sim://?device=stimjim&dialect=c", DeviceChoice("stimjim")),
        ("sim://?device=pulsepal&isolator=1.0", DeviceChoice("auto", isolator="1.0")),
    ],
)
def test_sessions_on_other_devices_are_the_same_again(tmp_path: Path, url: str, choice: DeviceChoice) -> None:
    assert exactly(record(tmp_path, url=url, choice=choice)).same


def test_the_dose_of_an_earlier_session_is_fetched_again(tmp_path: Path) -> None:
    flash = FileFlash(tmp_path / "flash.json")
    Rig(flash=flash, line=lambda port: Cut(port, 3 * S)).run()
    flash.save()
    flash.close()
    path = record(tmp_path, url=f"sim://?flash={tmp_path / 'flash.json'}")
    assert "Acknowledge" in _kinds_in_words(path)
    assert exactly(path).same


def _kinds_in_words(path: Path) -> set[str]:
    decoder = Decoder()
    with path.open(encoding="utf-8") as lines:
        return {line.kind for piece in read_traffic(str(path), lines)[1] for line in decoder.feed(piece)}


def test_two_channels_by_titration(tmp_path: Path) -> None:
    rx = prescription(seconds=3, amplitudes_ma={1: 0, 2: 0}, titrate=True)
    orders: list[tuple[int, Command]] = [(1_000_000, Raise(2))]
    assert exactly(record(tmp_path, rx=rx, orders=orders)).same


@pytest.mark.parametrize("keep", [3, 12, 30])
def test_a_record_cut_short_is_compared_as_far_as_it_goes(tmp_path: Path, keep: int) -> None:
    path = record(tmp_path)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:keep]), "utf-8")
    replayed = exactly(path)
    assert replayed.same
    assert replayed.recording.end is None


def test_a_record_of_a_lost_line_ends_so_again(tmp_path: Path) -> None:
    path, rx = tmp_path / "lost.traffic", prescription(seconds=5)
    with path.open("w", encoding="utf-8") as out:
        writer = TrafficWriter(out, "sim://")
        writer.note(
            0, "session", session_note(rx, asdict(NATIVE), [state.name for state in UNATTENDED], 0, virtual=True)
        )
        port = RecordedPort(Gone(open_port("sim://"), 3_030_000), writer)
        log = ListLog(Tape())
        engine = Engine(native.NativeAdapter(), rx, log, session_id="lost")
        report = Runner(port, engine, log, lambda *_: "", attended=False, take_note=port.note).run()
    assert report.end is End.LINE_LOST
    replayed = exactly(path)
    assert replayed.same
    assert replayed.report is not None
    assert replayed.report.end is End.LINE_LOST


# --- another driver ---------------------------------------------------------------------------------


def test_a_keepalive_that_comes_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = record(tmp_path)
    monkeypatch.setattr(limits, "KEEPALIVE_US", limits.KEEPALIVE_US + 11_000)
    difference = replay(read_recording(path)).difference
    assert difference is not None
    assert "KeepAlive" in difference.expected
    assert difference.got == "nothing within 10 ms of then"


def test_a_keepalive_that_comes_sooner_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = record(tmp_path)
    monkeypatch.setattr(limits, "KEEPALIVE_US", limits.KEEPALIVE_US - 11_000)
    difference = replay(read_recording(path)).difference
    assert difference is not None
    assert difference.got == "the same 11 ms too early"


def test_another_order_of_messages_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = record(tmp_path)
    self_test = native.NativeAdapter.self_test

    def twice(self: native.NativeAdapter, now_us: int) -> None:
        self.arm(Purpose.STIMULATE, [1], 500, S, now_us)
        self_test(self, now_us)

    monkeypatch.setattr(native.NativeAdapter, "self_test", twice)
    difference = replay(read_recording(path)).difference
    assert difference is not None
    assert difference.expected.startswith("SelfTest #8")
    assert difference.got.startswith("Arm #8")


def test_every_byte_counts(tmp_path: Path) -> None:
    """A record in which any one byte of the host's is another is never the same."""
    path = record(tmp_path)
    text = path.read_text("utf-8")
    pieces = [json.loads(line) for line in text.splitlines()]
    for place in [place for place, piece in enumerate(pieces) if piece.get("from") == "host"][::5]:
        data = bytearray.fromhex(pieces[place]["bytes"])
        data[len(data) // 2] ^= 1
        other = [*pieces[:place], {**pieces[place], "bytes": data.hex()}, *pieces[place + 1 :]]
        path.write_text("".join(json.dumps(piece) + "\n" for piece in other), "utf-8")
        assert not replay(read_recording(path)).same


@pytest.mark.parametrize(("field", "value"), [("do", "lower"), ("at_us", 2_950_000), ("channel", 2)])
def test_the_orders_are_part_of_the_test(tmp_path: Path, field: str, value: object) -> None:
    def other(line: dict[str, Any]) -> dict[str, Any]:
        return {**line, field: value} if line.get("do") == "raise" and line["at_us"] == 3_000_000 else line

    rx = prescription(seconds=20, profile="bench-100hz", amplitudes_ma={1: 0.8})
    path = changed(record(tmp_path, rx=rx, orders=ORDERS), other)
    assert not replay(read_recording(path)).same


def test_a_message_that_is_not_sent_any_more_is_found_at_the_end_too(tmp_path: Path) -> None:
    path = record(tmp_path)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    more = json.dumps({**json.loads(lines[-1]), "from": "host", "bytes": encode(0, Stop()).hex()})
    more = more.replace('"note": "ended", "end": "TIMER", ', "")
    path.write_text("".join([*lines[:-1], more + "\n", lines[-1]]), "utf-8")
    difference = exactly(path).difference
    assert difference is not None
    assert difference.expected.startswith("Stop #0")
    assert difference.got == "the end of the session"


def test_another_end_is_a_difference(tmp_path: Path) -> None:
    path = changed(record(tmp_path), lambda line: {**line, "end": "SHORT"} if line.get("note") == "ended" else line)
    difference = exactly(path).difference
    assert difference is not None
    assert (difference.expected, difference.got) == ("the session's end: short circuit", "timer")


# --- what is recorded, and what is not --------------------------------------------------------------


@pytest.mark.parametrize("subject", [Subject.PERSON, Subject.ANIMAL])
def test_nothing_of_a_person_or_an_animal_is_recorded(subject: Subject) -> None:
    rx = forged(prescription(), subject=subject, operator="Dr Who", pseudonym="p-17")
    note = session_note(rx, asdict(NATIVE), (), 5, virtual=False)
    assert note["prescription"] is note["profile"] is None
    assert "Who" not in json.dumps(note)


def test_no_name_is_recorded(tmp_path: Path) -> None:
    text = record(tmp_path, rx=prescription(seconds=2, operator="Dr Who", pseudonym="p-17")).read_text("utf-8")
    assert "Who" not in text
    assert "p-17" not in text


def test_a_record_brings_its_profile(tmp_path: Path) -> None:
    """The packaged profile may change; what was run then is in the record."""
    path = record(tmp_path)

    def other(line: dict[str, Any]) -> dict[str, Any]:
        if line.get("note") == "session":
            line["profile"] = line["profile"].replace("2026", "2027", 1) + "\n# newer\n"
        return line

    with pytest.raises(InputInvalid, match="profile_sha256"):
        read_recording(changed(path, other))


def without(kind: str) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    return lambda line: None if line.get("note") == kind else line


def with_session(**values: object) -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    return lambda line: {**line, **values} if line.get("note") == "session" else line


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (without("session"), "note 'session' is 0: must be there once"),
        (without("begun"), "note 'begun' is 0"),
        (with_session(prescription=None), "nothing of a person or an animal is recorded"),
        (with_session(prescription=[]), "must be a table"),
        (with_session(profile=5), "must be a table, and its profile text"),
        (with_session(first_sequence=70_000), "must be a whole number from 0 to 65535"),
        (with_session(auto=["FLYING"]), "must be names of session states"),
        (with_session(auto=None), "must be names of session states"),
        (with_session(device={"device": "toaster"}), "'toaster' is not one of"),
        (with_session(device={"flavour": 1}), "flavour"),
        (lambda line: {**line, "end": "NICE"} if line.get("note") == "ended" else line, "must be one of TIMER"),
        (lambda line: {**line, "end": "LOG"} if line.get("note") == "ended" else line, "cannot be replayed"),
        (lambda line: {**line, "do": "jump"} if line.get("do") == "hold" else line, "must be one of proceed, raise"),
        (lambda line: {**line, "channel": "1"} if line.get("do") == "raise" else line, "must be one of proceed, raise"),
        (lambda line: {**line, "note": 7} if line.get("note") == "begun" else line, "note is 7: must be text"),
    ],
)
def test_what_cannot_be_replayed_is_said(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None], told: str
) -> None:
    rx = prescription(seconds=20, profile="bench-100hz", amplitudes_ma={1: 0.8})
    path = changed(record(tmp_path, rx=rx, orders=ORDERS), change)
    with pytest.raises(InputInvalid) as refused:
        read_recording(path)
    assert told in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputInvalid, match="No such file"):
        read_recording(tmp_path / "none.traffic")
