"""Keeps the tables of docs/protocol.md equal to the messages and codes.

    python -m stimctl.wire.tables --check     fail when the document is stale
    python -m stimctl.wire.tables --write     bring it up to date

Each table stands between `<!-- tables: NAME -->` and `<!-- end -->`; everything else in the document is
written by people and left alone.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from enum import IntEnum, IntFlag
from inspect import cleandoc
from pathlib import Path
from struct import calcsize

from stimctl.errors import InputInvalid, Problem
from stimctl.wire import codec as m
from stimctl.wire import codes
from stimctl.wire.codec import HEADER_SIZE, SHAPES, MessageSchema
from stimctl.wire.framing import CRC_SIZE, DELIMITER

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"
LINE_OVERHEAD = CRC_SIZE + 2
BYTES_PER_S = 11_520  # 115 200 baud, ten bits a byte
_PLACE = re.compile(r"(?<=<!-- tables: )(?P<name>[a-z-]+) -->\n.*?(?=<!-- end -->)", re.DOTALL)
_TYPES = {"B": "u8", "H": "u16", "I": "u32", "Q": "u64", "q": "i64"}


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |"]
    lines.append("|" + "---|" * (lines[0].count("|") - 1))
    lines.extend("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
    return "\n".join(lines) + "\n"


def docstring_of(documented: type[object]) -> str:
    """The docstring of a message on one line."""
    return " ".join(cleandoc(documented.__doc__ or "").split())


def _wire_type(code: str) -> str:
    return f"bytes[{code[:-1]}]" if code.endswith("s") else _TYPES[code]


def _overview(shapes: Iterable[MessageSchema]) -> str:
    rows = (
        (f"`0x{shape.kind:02X}`", f"[{shape.cls.__name__}](#{_anchor(shape)})", shape.packer.size + LINE_OVERHEAD)
        for shape in shapes
    )
    return table(("kind", "message", "bytes on the line"), rows)


def _anchor(shape: MessageSchema) -> str:
    return f"0x{shape.kind:02x}-{shape.cls.__name__.lower()}"


def _layout(shape: MessageSchema) -> str:
    """One message: a heading, what it is for, and its fields by their place in the payload."""
    parts = [f"#### 0x{shape.kind:02X} {shape.cls.__name__}\n\n{docstring_of(shape.cls)}\n"]
    rows, offset = [], HEADER_SIZE
    for name, field in shape.fields.items():
        rows.append((offset, _wire_type(field.code), f"`{name}`", field.meaning))
        offset += calcsize(f"<{field.code}")
    if rows:
        parts.append("\n" + table(("offset", "type", "field", "meaning"), rows))
    return "".join(parts)


def _messages(belongs: Callable[[MessageSchema], bool]) -> str:
    shapes = [SHAPES[kind] for kind in sorted(SHAPES) if belongs(SHAPES[kind])]
    return "\n".join([_overview(shapes), *map(_layout, shapes)])


def _numbers(listing: type[IntEnum], meanings: dict[str, str]) -> str:
    return table(("number", "name", "meaning"), ((code.value, code.name, meanings[str(code.name)]) for code in listing))


def _bits(listing: type[IntFlag], meanings: dict[str, str]) -> str:
    rows = (
        (f"{code.value.bit_length() - 1} (`0x{code.value:02X}`)", code.name, meanings[str(code.name)])
        for code in listing
    )
    return table(("bit", "name", "meaning"), rows)


_STATES = {
    "IDLE": "nothing loaded; after power-on and after an acknowledge",
    "LOADING": "a program is being loaded",
    "LOADED": "the program is complete and its digest was given",
    "TESTED": "the self-test passed; may be armed",
    "ARMED": "a nonce is out; waits for its start",
    "CHECKING": "the impedance check runs: output possible",
    "RAMPING": "stimulates, not every channel has reached its target yet: output possible",
    "RUNNING": "stimulates at its targets: output possible",
    "RAMPING_DOWN": "the fall at the timer's end: output possible",
    "HELD": "all channels at zero, session open; may be armed again",
    "ENDED": "all channels at zero, latched until the session is acknowledged",
}
_PURPOSES = {"STIMULATE": "run the program", "CHECK_IMPEDANCE": "measure each channel's impedance"}
_END_REASONS = {
    "NONE": "neither ended nor held",
    "STOP": "Stop was received",
    "TIMER": "stimulation reached its limit: the ordinary end",
    "WATCHDOG": "no valid keepalive for the watchdog's time",
    "OVER_CURRENT": "a measured current passed the trip",
    "SHORT": "a channel's load was under the short's limit",
    "NET_CHARGE": "a channel's net charge or mean direct current passed its limit",
    "HOLD_EXPIRED": "a hold lasted too long",
    "SESSION_EXPIRED": "too long since the session's first arm",
    "RESET": "the device was reset while the session was open",
    "HANDSHAKE": "a Hello was received while the session was open",
    "GATE": "the device's own gate refused a pulse that its program asked for",
    "HELD_BY_HOST": "Hold was received (a hold, not an end)",
    "LEAD_OFF": "a channel's load was over the lead-off limit (a hold, not an end)",
    "COMPLIANCE": "a channel reached its highest voltage (a hold, not an end)",
}
_REFUSALS = {
    "UNKNOWN_KIND": "no such command in this version; `command` is the kind",
    "WRONG_LENGTH": "the command has another length",
    "UNKNOWN_VALUE": "a code, page or channel that does not exist; `detail` is it, `limit` the highest; purposes: 0",
    "UNSUPPORTED_VERSION": "`detail` is the version asked for, `limit` the version spoken",
    "NO_HANDSHAKE": "a command before Hello",
    "STALE_SEQUENCE": "a sequence number that is behind, or the newest with other bytes; `detail` is it",
    "WRONG_STATE": "the state table does not allow it; `detail` is the state",
    "WRONG_NONCE": "not the nonce of the newest arm (64 bits do not fit here: no values)",
    "WRONG_DIGEST": "not the digest of the program that is loaded",
    "UNREAD_COUNTERS": "a session waits to be acknowledged; `detail` is its number",
    "SELF_TEST_FAILED": "the program in memory is not the one that was sealed; `detail` is the self-test's bit for it",
    "ABOVE_LIMIT": "`detail` is the value, `limit` the highest allowed",
    "BELOW_LIMIT": "`detail` is the value, `limit` the lowest allowed",
    "UNBALANCED": "the two phases cannot have equal areas at every step; `detail` is the quantum, `limit` 100",
    "TOO_MANY_CHANNELS": "`detail` is the number of channels, `limit` the most allowed",
    "RAISE_TOO_LARGE": "`detail` is the rise, `limit` the highest rise",
    "RAISE_TOO_SOON": "`detail` is the time since that channel's last raise in us, `limit` the shortest allowed",
    "WRONG_SESSION": "not the session that waits; `detail` is the number, `limit` the one that waits",
    "NOT_IN_PROGRAM": "a channel that may not be driven; `detail` is it, or Arm's mask, `limit` those that may",
}
_CAPABILITIES = {
    "MEASURES_CURRENT": "measures what flows, pulse by pulse",
    "MEASURES_IMPEDANCE": "has an impedance check",
    "WATCHDOG": "goes to zero without keepalives",
    "SESSION_TIMER": "ends stimulation by its own timer",
    "HOLDS_LIMITS": "holds the limits of this document by itself",
    "ALTERNATES": "takes programs of two segments",
    "RAMPS": "ramps by itself",
    "ISOLATED_OUTPUTS": "has outputs between which no current can flow",
}
_CHANNEL_FLAGS = {
    "COMPLIANCE": "the last pulse reached the highest voltage",
    "LEAD_OFF": "the load is over the lead-off limit",
    "SHORT": "the load is under the short's limit",
    "OVER_CURRENT": "the over-current trip fired here",
    "NET_CHARGE": "the net-charge limit was passed here",
}
_SELF_TEST = {
    "DAC": "the converter does not follow",
    "READBACK": "the readback does not follow the converter",
    "COMPLIANCE_RAIL": "the output supply is not at its voltage",
    "ZERO": "current flows with the outputs disconnected",
    "MEMORY": "the program memory or the image does not hold its checksum",
}

# The worst second: a message, how often it may come in it, and why so often.
_FROM_DEVICE = (
    (m.Status, 10, "telemetry"),
    (m.Channel, 30, "telemetry of 3 channels"),
    (m.Alive, 4, "a keepalive every 250 ms"),
    (m.TargetSet, 3, "a raise a second on each of 3 channels"),
    (m.Event, 10, "allowed for; a session has a few"),
    (m.Stopped, 50, "a stop every 20 ms"),
)
_FROM_HOST = (
    (m.Stop, 50, "every 20 ms, one byte more for the empty frame before it"),
    (m.Arm, 20, "the longest command, sent again every 50 ms"),
)


def _budget(traffic: Iterable[tuple[type[object], int, str]]) -> str:
    rows: list[tuple[object, ...]] = []
    total = 0
    for cls, times, why in traffic:
        size = m.SHAPE_OF[cls].packer.size + LINE_OVERHEAD + (len(DELIMITER) if cls is m.Stop else 0)
        total += size * times
        rows.append((cls.__name__, size, times, size * times, why))
    rows.append(("**all**", "", "", f"**{total}**", f"**{total / BYTES_PER_S:.1%}** of {BYTES_PER_S}"))
    return table(("message", "bytes", "a second", "bytes a second", ""), rows)


TABLES: dict[str, Callable[[], str]] = {
    "commands": lambda: _messages(lambda shape: shape.to_device),
    "answers": lambda: _messages(lambda shape: 0x40 <= shape.kind < 0x60),
    "telemetry": lambda: _messages(lambda shape: shape.kind >= 0x60),
    "device-states": lambda: _numbers(codes.DeviceState, _STATES),
    "purposes": lambda: _numbers(codes.Purpose, _PURPOSES),
    "end-reasons": lambda: _numbers(codes.EndReason, _END_REASONS),
    "refusals": lambda: _numbers(codes.Refusal, _REFUSALS),
    "capabilities": lambda: _bits(codes.Capability, _CAPABILITIES),
    "channel-flags": lambda: _bits(codes.ChannelFlag, _CHANNEL_FLAGS),
    "budget-device": lambda: _budget(_FROM_DEVICE),
    "budget-host": lambda: _budget(_FROM_HOST),
    "self-test": lambda: _bits(codes.SelfTestFailure, _SELF_TEST),
}


def fresh(document: str, source: str = "docs/protocol.md") -> str:
    """`document` with every table as the code has it. Raises `InputInvalid` when a place is missing or unknown."""
    found = [place["name"] for place in _PLACE.finditer(document)]
    problems = [Problem(name, None, "this table has no place in the document") for name in TABLES if name not in found]
    problems += [Problem(name, None, "no such table") for name in found if name not in TABLES]
    if problems:
        raise InputInvalid(source, problems)
    return _PLACE.sub(lambda place: f"{place['name']} -->\n{TABLES[place['name']]()}", document)


def check_or_write(
    module: str, about: str, document: Path, fresh: Callable[[str, str], str], arguments: list[str] | None
) -> int:
    """The command line of a module that makes tables: check or write its document. Returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="fail when the document is stale")
    what.add_argument("--write", action="store_true", help="bring the document up to date")
    shown = "/".join(document.parts[-2:])
    parser.add_argument("--document", type=Path, default=document, help=f"default: {shown} of this checkout")
    options = parser.parse_args(arguments)
    text = options.document.read_text("utf-8")
    wanted = fresh(text, str(options.document))
    if options.write and wanted != text:
        options.document.write_text(wanted, "utf-8")
    elif wanted != text:
        sys.stderr.write(f"{options.document} is stale: run `python -m {module} --write`\n")
        return 1
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Check or write the document. Returns the exit code."""
    return check_or_write("stimctl.wire.tables", "Tables of docs/protocol.md.", DOCUMENT, fresh, arguments)


if __name__ == "__main__":
    sys.exit(main())
