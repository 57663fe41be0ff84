"""What is fuzzed, by name: functions that take any bytes and raise only when a promise is broken."""

from collections.abc import Callable
from pathlib import Path

from tests.fuzz import devices, driver, files, streams

Target = Callable[[bytes], None]

TARGETS: dict[str, Target] = {
    each.__name__: each
    for each in (
        streams.framing,
        streams.messages,
        streams.wording,
        streams.framed_wording,
        streams.stimjim_lines,
        files.traffic,
        files.recording,
        files.profile,
        files.prescription,
        files.scenario,
        files.flash,
        files.sim_url,
        devices.device_native,
        devices.device_stimjim,
        devices.device_pulsepal,
        driver.driver,
    )
}
CORPUS = Path(__file__).with_name("corpus")


def corpus(name: str) -> list[Path]:
    """The kept inputs of a target."""
    return sorted(path for path in (CORPUS / name).glob("*") if path.is_file())
