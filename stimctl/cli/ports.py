"""`stimctl ports`: lists the serial ports of this machine, with the description that each has."""

from typing import Any

import click

from stimctl.cli.table import echo_json, json_option, table
from stimctl.label import Label

_NONE = """No serial port was found. Is the stimulator connected and switched on, and is its cable a data cable?
Without hardware, use sim:// as the port: it is the simulated stimulator."""
_ALSO = "Also a port: sim:// (the simulated stimulator), socket://HOST:PORT (a serial line over TCP)."


@click.command()
@json_option
def ports(as_json: bool) -> None:
    """List the serial ports of this machine with what is known of each.

    Nothing is opened and nothing is sent: `stimctl info --port PORT` asks who is there.

    Example: stimctl ports
    """
    found = found_ports()
    if as_json:
        echo_json(found)
    elif not found:
        click.echo(_NONE)
    else:
        click.echo(table(("PORT", "WHAT", "USB ID", "SERIAL", "MAKER"), [_row(port) for port in found]))
        click.echo(f"\n{_ALSO}")


def found_ports() -> list[dict[str, Any]]:
    """What pyserial knows of each port; None where it knows nothing."""
    from serial.tools.list_ports import comports

    return [
        {
            "port": info.device,
            "description": None if info.description == "n/a" else _label(info.description),
            "usb_id": None if info.vid is None else f"{info.vid:04x}:{info.pid:04x}",
            "serial_number": _label(info.serial_number),
            "manufacturer": _label(info.manufacturer),
            "product": _label(info.product),
            "location": info.location,
        }
        for info in sorted(comports())
    ]


def _label(text: str | None) -> str | None:
    return None if text is None else Label.of_device(text)


def _row(port: dict[str, Any]) -> list[str]:
    shown = ("port", "description", "usb_id", "serial_number", "manufacturer")
    return [port[name] or "-" for name in shown]
