"""The catalogue of faults: every kind with its options, their ranges and defaults.

The figures bound what can be asked for and are the project's choice, like the defaults [choice].
"""

from collections.abc import Mapping
from types import MappingProxyType

from firmware_sim.faults.model import FaultKind, NumberOption, Option, WordOption
from stimctl.wire.codec import SHAPES

SECOND_US = 1_000_000
MINUTE_US = 60_000_000
DIRECTIONS = ("both", "to_device", "from_device")
_FULL_SCALE_UA = 2_559
# Messages of the device that hold a whole number: what can be told wrongly.
TOLD = {
    shape.cls.__name__: tuple(name for name, part in shape.fields.items() if part.code[-1] in "BHIQbhiq")
    for shape in SHAPES.values()
    if not shape.to_device
}
ECHO_MESSAGES = tuple(name for name, numbers in TOLD.items() if numbers)


def _direction(default: str = "both") -> WordOption:
    return WordOption("the direction it acts on", DIRECTIONS, default)


def _permille(of: str, default: int) -> NumberOption:
    return NumberOption(f"chance for each {of}", 0, 1_000, default)


def _us(text: str, default: int, *, low: int = 0, high: int = MINUTE_US) -> NumberOption:
    return NumberOption(text, low, high, default)


def _line(name: str, text: str, *, lasts: bool = True, **options: Option) -> FaultKind:
    return FaultKind(f"line.{name}", text, options, lasts)


def _device(name: str, text: str, *, lasts: bool = True, channels: bool = False, **options: Option) -> FaultKind:
    return FaultKind(f"device.{name}", text, options, lasts, channels)


def _load(name: str, text: str, **options: Option) -> FaultKind:
    return FaultKind(f"load.{name}", text, options, channels=True)


def _host(name: str, text: str, *, lasts: bool = False, **options: Option) -> FaultKind:
    return FaultKind(f"host.{name}", text, options, lasts)


_LINE = (
    _line("loss", "Whole frames are lost.", permille=_permille("frame", 100), direction=_direction()),
    _line("flip", "Single bits of bytes are turned over.", permille=_permille("byte", 5), direction=_direction()),
    _line(
        "duplicate", "Whole frames arrive more than once.",
        permille=_permille("frame", 100), copies=NumberOption("how many more", 1, 10, 1), direction=_direction(),
    ),
    _line(
        "reorder", "A frame arrives after the one that follows it, or on its own after `hold_us`.",
        permille=_permille("frame", 100), hold_us=_us("the longest it waits", 50_000, low=1), direction=_direction(),
    ),
    _line(
        "split", "Bytes arrive in small pieces, some time apart.",
        piece_bytes=NumberOption("the largest piece", 1, 64, 3), gap_us=_us("between two pieces", 500),
        direction=_direction(),
    ),
    _line(
        "merge", "Bytes wait for others, and all arrive at once.",
        wait_us=_us("from the first that waits", 16_000, low=1), direction=_direction(),
    ),
    _line(
        "delay", "Everything arrives later, in order.",
        delay_us=_us("how much", 20_000), jitter_us=_us("and up to so much more, by chance", 0),
        telemetry_us=_us("telemetry sets out up to so much later, by chance, and answers go ahead of it", 0),
        direction=_direction(),
    ),
    _line("stall", "Nothing arrives while it lasts; then everything does, at once.", direction=_direction()),
    _line(
        "junk", "Bytes that nobody sent come before a frame.",
        permille=_permille("frame", 100), most_bytes=NumberOption("the longest burst", 1, 256, 16),
        direction=_direction(),
    ),
    _line("one_way", "Nothing passes in `direction`; the other way is whole.", direction=_direction("from_device")),
    _line("unplug", "The port is gone, and comes back when it ends. What is on the way is lost."),
    _line(
        "baud", "The line takes its time for each byte, 10 bits each, both ways.",
        bits_per_s=NumberOption("how fast", 300, 10_000_000, 9_600),
        room_bytes=NumberOption("what may wait; more is lost", 64, 1_000_000, 4_096),
    ),
)  # fmt: skip

_DEVICE = (
    _device(
        "dac_stuck", "The output converter gives one current, whatever is asked of it, in both phases.", channels=True,
        value_ua=NumberOption("that current", -_FULL_SCALE_UA, _FULL_SCALE_UA, _FULL_SCALE_UA),
    ),
    _device(
        "dac_gain", "The output converter gives too much or too little.", channels=True,
        gain_permille=NumberOption("of what is asked", 0, 5_000, 1_100),
    ),
    _device(
        "readback_gain", "The ammeter reads too much or too little; the net charge with it.", channels=True,
        gain_permille=NumberOption("of what flows", 0, 5_000, 800),
    ),
    _device(
        "readback_offset", "The ammeter reads so much beside what flows.", channels=True,
        offset_ua=NumberOption("how much", -_FULL_SCALE_UA, _FULL_SCALE_UA, 50),
    ),
    _device(
        "stuck_on", "The output switch lets a current through while the outputs are disabled.", channels=True,
        value_ua=NumberOption("that current", -_FULL_SCALE_UA, _FULL_SCALE_UA, 500),
    ),
    _device(
        "reset", "The firmware starts anew; what is in flash stays.", lasts=False,
        down_us=_us("until it runs again", 200_000),
    ),
    _device(
        "brown_out", "Resets, one after the other.", lasts=False,
        times=NumberOption("how many", 1, 100, 3), every_us=_us("from one to the next", 700_000, low=1_000),
        down_us=_us("until it runs again, each time", 200_000),
    ),
    _device(
        "clock_drift", "The device's clock runs fast (above zero) or slow.",
        ppm=NumberOption("by how much", -200_000, 200_000, 20_000),
    ),
    _device(
        "clock_freeze", "The firmware stands still, its watchdog with it; 256 bytes wait for it, more are lost.",
        output=WordOption(
            "`held`: each output stays at the current of that moment; `pulses`: pulses go on as they were",
            ("held", "pulses"), "held",
        ),
        moment=WordOption("`in_pulse`: it waits for the middle of a pulse's first phase", ("now", "in_pulse"), "now"),
    ),
    _device("watchdog_dead", "The device's watchdog never fires."),
    _device(
        "session_timer_dead", "Neither the stimulation's nor the session's time ever ends, and pulses know no end."
    ),
    _device(
        "program_flip", "One bit of the loaded program turns over in memory.", lasts=False,
        field=WordOption(
            "where",
            ("period_us", "width_us", "interphase_gap_us", "second_width_us", "dwell_us", "ramp_slope_ua_per_s",
             "ramp_down_us", "channel_mask"),
            "width_us",
        ),
        segment=NumberOption("of which segment", 0, 1, 0), bit=NumberOption("which bit, 0 the lowest", 0, 31, 4),
    ),
    _device("slow_answers", "All that the device says comes later.", delay_us=_us("how much", 200_000)),
    _device(
        "wrong_echo", "One number of one kind of message is told wrongly.",
        message=WordOption("which", ECHO_MESSAGES, "Started"),
        field=WordOption(
            "which number; `first` is the message's first",
            ("first", *sorted({name for names in TOLD.values() for name in names})), "first",
        ),
        add=NumberOption("by how much, around the ends of its width", -65_535, 65_535, 1),
    ),
    _device(
        "wrong_version", "The handshake is answered with another version of the protocol.",
        version=NumberOption("which", 0, 65_535, 3),
    ),
    _device(
        "silent_telemetry", "What the device sends on its own is not sent.",
        message=WordOption("which", ("all", "Status", "Channel", "Event"), "all"),
    ),
)  # fmt: skip

_LOADS = (
    _load("open", "A needle or a clip is off."),
    _load(
        "intermittent", "A clip comes off and on again, by chance.",
        closed_us=_us("how long it holds, on average", 1_000_000, low=1_000),
        open_us=_us("how long it is off, on average", 200_000, low=1_000),
    ),
    _load("short", "The clips of a pair touch."),
    _load(
        "bridged", "The pair touches another channel's (channel 1's when no channel is named).",
        other=NumberOption("that channel; 0 is the next one, after 4 comes 1", 0, 4, 0),
        leak_permille=NumberOption("of the current takes the way over there", 1, 900, 200),
    ),
    _load(
        "drift", "The series resistance goes evenly to another value, in steps of a second, and stays.",
        end_ohm=NumberOption("to what", 10, 1_000_000, 3_000), over_us=_us("in what time", 30_000_000, low=SECOND_US),
    ),
    _load("dry", "The needle dries: the series resistance of a dry pair."),
    _load("resistor", "A plain resistor is there instead.", ohm=NumberOption("how much", 1, 100_000_000, 1_000)),
)  # fmt: skip

_HOST = (
    _host("killed", "The host's process is killed."),
    _host("stopped", "The host's process stands still, and goes on when it ends.", lasts=True),
    _host("stall", "The host does nothing while time passes.", lasts=True),
    _host(
        "clock_jump", "The host's clock jumps.",
        by_us=NumberOption("by so much", -1_000_000_000_000, 1_000_000_000_000, 3_600 * SECOND_US),
    ),
    _host("disk_full", "The log's disk takes no more."),
    _host("read_only_log", "The log can be read only."),
    _host(
        "second_driver", "Another program sends on the same line.",
        says=WordOption("what it sends", ("hello", "session", "orders", "stop"), "hello"),
    ),
)  # fmt: skip

CATALOGUE: Mapping[str, FaultKind] = MappingProxyType({kind.name: kind for kind in (*_LINE, *_DEVICE, *_LOADS, *_HOST)})
