"""Makes an identity from the pages that a device sends in the handshake of the native protocol."""

from stimctl.label import Label
from stimctl.stimulators.base import DeviceIdentified, Identity
from stimctl.wire import codec as m
from stimctl.wire.codes import Capability


def _text(field: bytes) -> Label:
    return Label.of_device(field.rstrip(b"\x00").decode("ascii", "replace"))


def _date(number: int) -> str | None:
    return f"{number // 10_000:04d}-{number // 100 % 100:02d}-{number % 100:02d}" if number else None


def identified(welcome: m.Welcome, maker: m.Maker, firmware: m.Firmware, ranges: m.Ranges) -> DeviceIdentified:
    """The identity that the four pages give, and the session whose counters wait."""
    as_told = ranges._asdict()
    del as_told["calibrated_on"], as_told["capabilities"]
    identity = Identity(
        model=_text(maker.model),
        serial=_text(maker.serial),
        firmware=f"{firmware.major}.{firmware.minor}.{firmware.patch}",
        firmware_sha256=firmware.sha256.hex(),
        boot_id=welcome.boot_id,
        simulator=bool(welcome.simulator),
        calibrated_on=_date(ranges.calibrated_on),
        capabilities=Capability(ranges.capabilities),
        **as_told,
    )
    return DeviceIdentified(identity, welcome.session)
