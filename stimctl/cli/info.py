"""`stimctl info`: identifies the device at a port. It loads, arms and starts nothing."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from stimctl.cli import codes
from stimctl.cli.device_options import device_options
from stimctl.cli.table import echo_json, json_option, pairs
from stimctl.stimulators.capabilities import lacking
from stimctl.wire.codes import Capability, simulator_or_hardware

if TYPE_CHECKING:
    from stimctl.stimulators.base import DeviceIdentified, Identity
    from stimctl.stimulators.discovery import DeviceChoice

BOOTS_US = 500_000  # so late answers no board that was running [choice]
_CODES = (codes.DONE, codes.USAGE, codes.INVALID, codes.DEVICE, codes.LINE, codes.INTERRUPTED)


@click.command(epilog=codes.help_text(_CODES))
@device_options()
@json_option
def info(url: str, choice: "DeviceChoice", as_json: bool) -> None:
    """Say who answers at a port: identity, firmware, ranges, calibration, simulator or hardware.

    Only a handshake is sent: it cannot start output. It ends a session that the device has open. A StimJim or a
    PulsePal is stopped, and what it could play by itself is made harmless.

    \b
    Examples:
      stimctl info --port sim://
      stimctl info --port /dev/ttyACM0 --device stimjim
    """
    from stimctl.calibration import newest_record
    from stimctl.errors import Misuse
    from stimctl.ledger.place import data_folder
    from stimctl.stimulators.discovery import identify

    found = identify(url, choice)
    try:
        record = newest_record(data_folder(), found.identity.model, found.identity.serial)
        text = record.text(datetime.now(UTC).date(), found.identity.firmware) if record else "none on this computer"
        fields = None if record is None else record.model_dump(mode="json")
    except Misuse as wrong:  # the device is there all the same
        text, fields = f"cannot be read: {wrong}", {"unreadable": str(wrong)}
    if as_json:
        echo_json({**_document(url, found), "calibration": fields})
        return
    click.echo(pairs(_rows(url, found, text)))


def _answered(url: str, after_us: int) -> str:
    if after_us < BOOTS_US:
        return f"{after_us / 1_000:.0f} ms after the port was opened"
    local = "://" not in url and "?" not in url
    hint = f"; {url}?dtr=off may keep it from that" if local else ""
    return f"{after_us / 1e6:.1f} s after the port was opened: it boots then, and is waited for{hint}"


def _document(url: str, found: "DeviceIdentified") -> dict[str, Any]:
    identity = found.identity
    return {
        "port": url,
        **identity.record(),
        "capabilities": capability_names(identity),
        "lacks": list(lacking(identity)),
        "waiting_session": found.waiting or None,
        "answered_us": found.answered_us,
    }


def capability_names(identity: "Identity") -> list[str]:
    """What the device can do by itself, in words."""
    return [(flag.name or "").lower().replace("_", " ") for flag in identity.capabilities]


def _rows(url: str, found: "DeviceIdentified", calibration: str) -> list[tuple[str, object]]:
    who = found.identity
    waiting = f"session {found.waiting}: fetched by the next `stimctl run`" if found.waiting else "none"
    digest = f" (SHA-256 {who.firmware_sha256})" if who.firmware_sha256 else ""
    return [
        ("this is", simulator_or_hardware(who.simulator)),
        ("port", url),
        ("model", who.model),
        ("serial number", who.serial),
        ("firmware", f"{who.firmware}{digest}"),
        ("boot", who.boot_id),
        ("calibrated on", who.calibrated_on or "never, as far as it says"),
        ("calibration", calibration),
        ("channels", who.channels),
        ("amplitude", f"up to {who.max_amplitude_ua / 1000:.2f} mA in steps of {who.dac_step_na / 1000:g} uA"),
        ("measures current", _accuracy(who)),
        ("net charge", _net_charge(who)),
        ("compliance", f"{who.compliance_mv / 1000:g} V" if who.compliance_mv else "the isolator's"),
        ("watchdog", f"{who.watchdog_ms} ms" if who.watchdog_ms else "none: output is given in leases of 3 s at most"),
        ("can by itself", ", ".join(capability_names(who)) or "nothing"),
        *(("lacks", sentence) for sentence in lacking(who)),
        ("dose waiting", waiting),
        ("answered", _answered(url, found.answered_us)),
    ]


def _accuracy(identity: "Identity") -> str:
    if Capability.MEASURES_CURRENT not in identity.capabilities:
        return "not at all"
    accuracy = f"within {identity.readback_accuracy_ua} uA + {identity.readback_accuracy_permille / 10:g} %"
    return f"{accuracy}, as a mean over each lease" if identity.by_lease else accuracy


def _net_charge(identity: "Identity") -> str:
    return (
        f"measured from {identity.net_charge_floor_pc} pC a pulse" if identity.net_charge_floor_pc else "not measured"
    )
