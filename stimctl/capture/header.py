"""What stands above the numbers of a CSV: who wrote it, what its columns are, and what it says of time.

Makers agree on nothing, and one maker's models do not either. So nothing here asks for a certain maker: lines are
read until the first that holds numbers only, and what they say is looked for by its words. Forms that are known:

    X,CH1,CH2,Start,Increment,            Sequence,Volt,Volt,-1.2e-03,4e-08     Rigol DS1000Z, MSO5000
    X,CH1,                                Second,Volt,                          Rigol DS2000, DS4000
    Time,X(CH1),X(CH2),                   Second,Volt,Volt,                     Rigol DS1000D/E
    Time(s),CH1V,CH2V or X,CH 1 (V)                                             Rigol DHO, Ultra Station
    CH1V,CH2V,t0 =-2.4e-05, tInc = 2e-08,                                       Rigol DHO, all its memory
    "Number of Data points =",8192 ...                                          Rigol, older
    Record Length,Analog:14000 ...        Second,Volt or Second,Value           Siglent
    Model,MSO46 ... Sample Interval,4e-9  TIME,CH1                              Tektronix MSO, DPO
    Record Length,2.5e+03,,-0.0025,0.04,  (the first rows carry the header)     Tektronix TDS
    x-axis,1,2                            second,Volt,Volt                      Keysight InfiniiVision
    Time,Channel A / (ms),(V) / blank     also Zeit;Kanal A with decimal comma  PicoScope
    Time [s],Channel 0                                                          Saleae
    XInc:,5e-06 ... Data:                 (a column of volts, or times and volts)  Keysight Infiniium
    in s,CH1 in V                                                               Rohde & Schwarz
    LECROYHDO6104,Waveform ...            Time,Ampl                             LeCroy
    Model:,HDS242 ... Time interval:,5uS  ,CH1_Voltage(mV) (the rows are counted)  Owon
    Unit:(mV) / ,CH1 / ... Sample interval,5us  (the rows are counted)  Owon VDS
    #CHANNEL:CH1 #CLOCK=5us #UNITS:V      (a column of volts)                   Hantek
    "//YOKOGAWA ASCII FILE FORMAT" ...    (an empty field, then volts)          Yokogawa
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from stimctl.capture.model import Column

TIME_UNITS = {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "sequence": 0.0}
_SIGNAL_UNITS = {
    "v": "V", "volt": "V", "volts": "V", "mv": "mV", "uv": "uV", "a": "A", "amp": "A", "ampere": "A", "ma": "mA",
    "ua": "uA", "na": "nA", "value": "",
}  # fmt: skip
_TIME_NAMES = {"x", "time", "zeit", "x-axis", "t", "second", "seconds", "timestamp", "temps", "tiempo", "tempo"}
_LENGTHS = ("record length", "number of data points", "memory length", "points", "blocksize", "size")
_INTERVALS = (
    "sample interval", "sampling interval", "sampling period", "sample period", "time interval", "increment", "tinc",
    "xinc", "hresolution", "clock",
)  # fmt: skip
_RATES = ("sample rate", "sampling rate", "samplerate")
_STARTS = ("xorg", "start", "t0", "hoffset")
_VERTICALS = ("vertical units", "units", "unit", "yunits", "vunit")
_NAMES = ("source", "tracename", "channel")
_PROBES = ("probe attenuation", "probe atten", "probe ratio")
_LOOKED_AT = 20  # rows of numbers: some carry the header beside them
_NUMBER = re.compile(r"[-+]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][-+]?\d+)?|[-+]?(?:inf|nan|∞|0x[0-9a-fA-F]+)")
_SETTING = re.compile(r"#?\s*([A-Za-z][\w .]*?)\s*[=:]\s*(\S.*)")  # a line of its own
_OF_DAY = re.compile(r"(?:^|\s)\d+:\d")  # a time of day, or a ratio: neither is a figure, nor a title
_FIGURE = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_PREFIXES = {"k": 1e3, "m": 1e6, "g": 1e9}
_COUNTERS = {"nr", "no", "no.", "n", "index", "sample", "samples", "point", "points", "row"}  # columns of no signal
_MAKERS = (
    ("Rigol", r"^x,ch ?\d|^time,x\(ch|^time\(s\),ch\d+v|tinc ?=|number of data points|rigol"),
    ("Siglent", r"analog:|siglent|model number,sds|^source,ch\d.*\n ?second,(volt|value)"),
    ("Tektronix", r"^model,(mso|dpo|tds|mdo|tbs|dsa)|waveform type|trigger point,|tektronix|^record length,.*,,"),
    ("Keysight", r"^x-axis,|keysight|agilent|^xinc:"),
    ("PicoScope", r"^(time|zeit)[,;\t](channel|kanal) [a-h]"),
    ("Yokogawa", r"yokogawa"),
    ("Saleae", r"^time ?\[s\],"),
    ("Rohde & Schwarz", r"^in s,|^model;rt"),
    ("LeCroy", r"^lecroy"),
    ("Owon", r"^model:,hds"),
    ("Digilent", r"^#digilent"),
    ("GW Instek", r"^format,2|^memory length,"),
)


@dataclass(frozen=True, slots=True)
class Header:
    """Where the numbers are and what they are. Column numbers are places in a row, -1 for none."""

    maker: str
    separator: str
    decimal_comma: bool
    lines: int  # above the first row of numbers
    fields: int  # in a row
    time_place: int
    time_unit_s: float  # 0 where the column counts samples
    places: tuple[int, ...]
    columns: tuple[Column, ...]
    interval_s: float | None = None
    start_s: float | None = None
    samples: int | None = None
    probe: float | None = None
    notes: tuple[str, ...] = field(default=())


def read_header(text: str) -> Header | None:
    """What the first lines of a file say; None where they hold no row of numbers."""
    lines = text.split("\n")
    separator = _separator(lines)
    first = next((number for number, line in enumerate(lines) if _is_row(_split(line, separator), separator)), None)
    rows = [_split(line, separator) for line in lines[: (first or 0) + _LOOKED_AT]]
    old = _is_tds(rows[0])
    if first is None and not old:
        return None
    above, row = ([], rows[0]) if old or first is None else (rows[:first], rows[first])
    counted = first is not None and _counts(rows[first : first + 4])
    metadata = _metadata(rows[:_LOOKED_AT] if old else above)
    titles, units = ([], []) if old else _titles(above)
    return _header(text, separator, above, row, metadata, titles, units, old=old, counted=counted)


def _header(
    text: str, separator: str, above: list[list[str]], row: list[str], metadata: Mapping[str, str],
    titles: list[str], units: list[str], *, old: bool, counted: bool,
) -> Header:  # fmt: skip
    notes: list[str] = []
    time_place, time_unit_s = (3, 1.0) if old else _time(titles, units, row, metadata, notes, counted=counted)
    places, columns = _columns(titles, units, row, time_place, metadata, notes, old=old)
    interval_s = _interval(metadata, titles, units)
    maker = next((name for name, form in _MAKERS if re.search(form, text[:4_000].lower(), re.MULTILINE)), "")
    if not maker:
        notes.append("no maker was recognised by its header")
    return Header(
        maker=maker or "unnamed", separator=separator, decimal_comma=separator != "," and "," in "".join(row),
        lines=len(above), fields=len(row), time_place=time_place, time_unit_s=time_unit_s,
        places=places, columns=columns, interval_s=interval_s,
        start_s=_beside(titles, units, _STARTS) or _figure(metadata, _STARTS),
        samples=_length(metadata), probe=_figure(metadata, _PROBES), notes=tuple(notes),
    )  # fmt: skip


def _separator(lines: list[str]) -> str:
    """The one that splits most of the last lines: a decimal comma is no separator."""
    seen = "\n".join([line for line in lines if line.strip()][-20:])
    return ";" if ";" in seen else "\t" if "\t" in seen else ","


def _split(line: str, separator: str) -> list[str]:
    return [part.strip().strip('"').strip() for part in line.rstrip("\r").split(separator)]


def _is_row(row: list[str], separator: str) -> bool:
    """Whether all fields are numbers, apart from an empty one before the first separator or after the last."""
    fields = row[int(len(row) > 1 and not row[0]) :]
    fields = fields[:-1] if len(fields) > 1 and not fields[-1] else fields
    return bool(fields) and all(_NUMBER.fullmatch(each) and (separator != "," or "," not in each) for each in fields)


def _is_tds(row: list[str]) -> bool:
    return len(row) >= 5 and row[0].lower() == "record length" and all(_NUMBER.fullmatch(each) for each in row[3:5])


def _metadata(rows: list[list[str]]) -> dict[str, str]:
    """Names and what stands beside them, such as `sample interval`: `4e-09`."""
    metadata: dict[str, str] = {}
    for row in rows:
        setting = _setting(row)
        name, values = (setting[1].lower(), [setting[2]]) if setting else (row[0].lower().rstrip(" =:"), row[1:])
        if name and values and values[0]:
            metadata.setdefault(name, values[0])
        if name in _NAMES:
            metadata["source"] = ",".join(each for each in values if each)
        for key, value in re.findall(r"(t0|tinc) ?= ?([-+.\deE]+)", ",".join(row).lower()):
            metadata.setdefault(key, value)
    return metadata


def _setting(row: list[str]) -> re.Match[str] | None:
    """The name and the value of a line that has nothing but them in one field."""
    return _SETTING.fullmatch(row[0]) if not any(row[1:]) else None


def _titles(above: list[list[str]]) -> tuple[list[str], list[str]]:
    """The line that names the columns and the one that says their units, either of which may be missing."""
    filled = [row for row in above if any(row) and not _setting(row)]
    if not filled:
        return [], []
    units = filled[-1] if _all_units(filled[-1]) else []
    before = filled[:-1] if units else filled
    named = [row for row in before if not row[0] and any(re.match(r"ch\d", each.lower()) for each in row[1:])]
    last = before[-1:] if before and (_is_title(before[-1]) or not (units or _is_metadata(before[-1]))) else []
    return next(iter([*named, *last]), []), units


def _is_metadata(row: list[str]) -> bool:
    """Whether a line's first field is known to name a value, or names it with a colon."""
    name = row[0].lower().rstrip(" =:")
    return name in (*_INTERVALS, *_RATES, *_LENGTHS, *_STARTS) or row[0].endswith(":")


def _all_units(row: list[str]) -> bool:
    words = [_bare(each) for each in row if each and not _NUMBER.fullmatch(each)]
    return bool(words) and all(word in TIME_UNITS or word in _SIGNAL_UNITS for word in words)


def _bare(text: str) -> str:
    return text.strip("()[] ").lower().replace("µ", "u").replace("μ", "u")


def _is_title(row: list[str]) -> bool:
    first = re.split(r"[ (\[]", row[0].lower())[0]
    if any(_OF_DAY.search(each) for each in row):
        return False
    return first in _TIME_NAMES or first == "source" or row[0].startswith("#")


def _time(
    titles: list[str], units: list[str], row: list[str], metadata: Mapping[str, str], notes: list[str], *,
    counted: bool,
) -> tuple[int, float]:  # fmt: skip
    """The place of the time column and its unit in seconds; 0 where it counts samples."""
    if "tinc" in metadata or not row[0]:
        return -1, 0.0
    for place in range(len(row)):
        title, unit = _at(titles, place), _bare(_at(units, place))
        inside = _bare(_unit_in(title))
        if unit in TIME_UNITS or inside in TIME_UNITS:
            counts = "sequence" in (unit, inside)
            return place, 0.0 if counts else TIME_UNITS[unit if unit in TIME_UNITS else inside]
        if re.split(r"[ (\[]", title.lower())[0] in _TIME_NAMES:
            said = TIME_UNITS.get(_bare(metadata.get("horizontal units", "")))
            if said is None:
                notes.append("the unit of time is not said: taken for seconds")
            return place, said or 1.0
    alone = len([each for each in row if each]) == 1
    if alone:
        return -1, 0.0
    if counted:
        notes.append("the first column counts the rows")
        return 0, 0.0
    notes.append("no column says that it is time: the first one is taken for seconds")
    return 0, 1.0


def _counts(rows: list[list[str]]) -> bool:
    """Whether the first field of these rows is one whole number after the other."""
    if len(rows) < 3 or not all(row[0].isdecimal() for row in rows):
        return False
    numbers = [int(row[0]) for row in rows]
    return all(after - before == 1 for before, after in pairwise(numbers))


def _columns(
    titles: list[str], units: list[str], row: list[str], time_place: int, metadata: Mapping[str, str], notes: list[str],
    *, old: bool,
) -> tuple[tuple[int, ...], tuple[Column, ...]]:  # fmt: skip
    places: list[int] = []
    columns: list[Column] = []
    sources = [each for each in metadata.get("source", "").split(",") if each]
    for place in range(4 if old else 0, len(row)):
        title, unit = _at(titles, place), _at(units, place)
        word = _bare(unit) or _bare(_unit_in(title))
        digital = re.match(r"D\d", title) or row[place].startswith("0x")
        counter = title.startswith("#") or title.lower() in {*_COUNTERS, *_TIME_NAMES}
        if place == time_place or not row[place] or word in TIME_UNITS or digital or counter:
            continue
        number = len(places)
        own = _name(title)
        name = sources[number] if number < len(sources) and (not own or titles[0].lower() == "source") else own
        name = name or f"CH{number + 1}"
        said_unit = _SIGNAL_UNITS.get(word) or _vertical(metadata, number)
        if not said_unit:
            notes.append(f"the unit of {name} is not said: it is what was declared")
        places.append(place)
        columns.append(Column(name, said_unit))
    return tuple(places), tuple(columns)


def _vertical(metadata: Mapping[str, str], number: int) -> str:
    """Siglent: `CH1:V CH2:V`; Tektronix: `V`."""
    words = re.split(r"[ ,]+", next((metadata[name] for name in _VERTICALS if name in metadata), ""))
    word = words[min(number, len(words) - 1)].rpartition(":")[2]
    return _SIGNAL_UNITS.get(_bare(word), "")


def _at(row: list[str], place: int) -> str:
    return row[place] if 0 <= place < len(row) else ""


def _unit_in(title: str) -> str:
    """The unit of `CH1(V)`, `Time [s]`, `CH1 in V` or `CH1V`; of `X(CH1)` none."""
    found = re.search(r"[(\[]([^)\]]+)[)\]]\s*$", title)
    if found:
        return found[1]
    ended = re.fullmatch(r"CH ?\d+([mu]?[VA])|(?:.* )?in (\w+)", title)
    return (ended[1] or ended[2]) if ended else ""


def _name(title: str) -> str:
    inner = re.fullmatch(r"X\((CH\d+)\)", title)
    if inner:
        return inner[1]
    without = re.sub(r"\s*[(\[][^)\]]*[)\]]\s*$| in \w+$", "", title)
    ended = re.fullmatch(r"(CH ?\d+)[mu]?[VA]", without)
    name = ended[1] if ended else without
    return f"CH{name}" if name.isdigit() else name


def _interval(metadata: Mapping[str, str], titles: list[str], units: list[str]) -> float | None:
    beside = _beside(titles, units, _INTERVALS)
    interval_s = beside if beside is not None else _seconds(metadata)
    if interval_s is None:
        rate_hz = _figure(metadata, _RATES)
        interval_s = 1 / rate_hz if rate_hz else None
    return interval_s if interval_s is None or interval_s > 0 else None


def _beside(titles: list[str], units: list[str], names: tuple[str, ...]) -> float | None:
    """What stands under `Start` or `Increment`."""
    for place, title in enumerate(titles):
        if title.lower() in names and _FIGURE.fullmatch(_at(units, place)):
            return float(units[place])
    return None


def _figures(metadata: Mapping[str, str], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        yield from (value for key, value in metadata.items() if key == name or key.startswith(name + " "))


def _figure(metadata: Mapping[str, str], names: tuple[str, ...]) -> float | None:
    for value in _figures(metadata, names):
        found = re.search(rf"({_FIGURE.pattern})\s*([kKMG]?)(?:Sa|S|Hz)?", value.rpartition(":")[2])
        if found and not _OF_DAY.search(value):
            return float(found[1]) * _PREFIXES.get(found[2].lower(), 1.0)
    return None


def _seconds(metadata: Mapping[str, str]) -> float | None:
    """An interval, such as `4e-09`, `5.00000uS` or `CH1:0.000005`."""
    for value in _figures(metadata, _INTERVALS):
        found = re.search(rf"({_FIGURE.pattern})\s*([a-zA-Zµμ]*)", value.rpartition(":")[2])
        if found and (_bare(found[2]) or "s") in TIME_UNITS:
            return float(found[1]) * TIME_UNITS[_bare(found[2]) or "s"]
    return None


def _length(metadata: Mapping[str, str]) -> int | None:
    length = _figure(metadata, _LENGTHS)
    return int(length) if length and length > 0 else None
