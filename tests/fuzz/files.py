"""Files that people write or send: any bytes are refused with an error that says what is wrong, or they are good."""

# ruff: noqa: PT017 - these are no tests of one error, but targets for which some errors are as good as none
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from firmware_sim.native.flash import FileFlash, FlashUnusable
from firmware_sim.protocol_sim import options_of
from firmware_sim.slot_file import SLOT, SlotFile
from stimctl import limits
from stimctl.errors import InputInvalid, Misuse, Unsafe
from stimctl.prescription import Prescription, from_mapping
from stimctl.profile import Profile, explain, load_profiles, load_text
from stimctl.profile.toml_text import parse
from stimctl.replay import read_recording
from stimctl.traffic.decoder import Decoder
from stimctl.traffic.transcript import read_traffic
from stimlab.scenario.reader import dump, prescribed, scenario_from


@cache
def _profiles() -> dict[str, Profile]:
    return load_profiles()


@cache
def _scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="stimctl-fuzz-")) / "file"


def profile(data: bytes) -> None:
    """A profile is `InputInvalid`, with problems, or it can be explained."""
    try:
        made = load_text(data, "fuzz.toml")
    except InputInvalid as invalid:
        assert invalid.problems
        assert str(invalid).startswith("fuzz.toml:")
        return
    assert explain(made)


def prescription(data: bytes) -> None:
    """A prescription is `InputInvalid` or `Unsafe`, or it is inside every hard limit."""
    try:
        rx = from_mapping(parse(data, "fuzz.toml").values, _profiles(), source="fuzz.toml")
    except (InputInvalid, Unsafe) as refused:
        assert refused.problems
        assert str(refused)
        return
    _inside_the_limits(rx)


def _inside_the_limits(rx: Prescription) -> None:
    assert limits.CEILING.allows(rx.ceiling_ua)
    assert limits.STIMULATION.allows(rx.stimulation_us)
    assert all(0 <= target_ua <= rx.ceiling_ua for target_ua in rx.targets_ua.values())
    assert all(limits.PERIOD.allows(segment.period_us) for segment in rx.program.segments)
    assert rx.charge_per_phase_pc <= limits.CHARGE_PER_PHASE.high
    assert rx.record()


def scenario(data: bytes) -> None:
    """A scenario is `InputInvalid`, or its text loads to an equal one; its prescription is one or is refused."""
    try:
        made = scenario_from(parse(data, "fuzz.toml").values, "fuzz.toml")
    except InputInvalid as invalid:
        assert invalid.problems
        return
    assert scenario_from(parse(dump(made).encode(), "again.toml").values, "again.toml") == made
    try:
        _inside_the_limits(prescribed(made))
    except (InputInvalid, Unsafe) as refused:
        assert refused.problems


def traffic(data: bytes) -> None:
    """A record of traffic is `InputInvalid`, at once or from some line on; what comes before it is put into words."""
    decoder = Decoder()
    try:
        _, records = read_traffic("fuzz", data.decode("utf-8", "replace").splitlines())
        for record in records:
            for line in decoder.feed(record):
                assert line.text()
    except InputInvalid as invalid:
        assert invalid.problems


def recording(data: bytes) -> None:
    """A recorded session is refused with `InputInvalid` or `Unsafe`, or it can be replayed."""
    path = _scratch()
    path.write_bytes(data)
    try:
        found = read_recording(path)
    except (InputInvalid, Unsafe) as refused:
        assert refused.problems
        return
    _inside_the_limits(found.prescription)


def flash(data: bytes) -> None:
    """A simulated device's memory is `FlashUnusable`, or it boots."""
    path = _scratch()
    path.write_bytes(data)
    _boots_or_says(path)
    path.unlink()
    whole = SlotFile(path)
    whole.write(data[: SLOT // 2 - 64].decode("latin-1"), sync=False)  # a character has two bytes at most
    whole.close()
    _boots_or_says(path)


def _boots_or_says(path: Path) -> None:
    try:
        memory = FileFlash(path)
    except FlashUnusable as unusable:
        assert str(path) in str(unusable)
        return
    with closing(memory):
        assert memory.boot() >= 1


def sim_url(data: bytes) -> None:
    """A simulator's URL is a `ValueError` that says what is allowed, or it is understood."""
    try:
        options_of("sim://?" + data.decode("latin-1"))
    except (ValueError, Misuse) as refused:
        assert str(refused)
