"""`stimctl traffic`: shows recorded traffic in words."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import click

from stimctl.cli.table import echo_json, folded, json_option, terminal_columns
from stimctl.errors import InputInvalid
from stimctl.label import printable
from stimctl.ledger.heads import REHEARSAL
from stimctl.stimulators.pulsepal.gate import ABORT, HANDSHAKE
from stimctl.stimulators.pulsepal.words import PulsePalWords
from stimctl.stimulators.stimjim.gate import STOP
from stimctl.stimulators.stimjim.words import StimJimWords
from stimctl.traffic.board_decoder import BoardDecoder
from stimctl.traffic.decoder import DecodedLine, Decoder
from stimctl.traffic.transcript import TrafficChunk, TrafficHeader, read_traffic
from stimctl.wire.codes import simulator_or_hardware

# A handshake is over long before as many pieces of traffic.
_HANDSHAKE_RECORDS = 100
_DECODERS: dict[str, Callable[[], Decoder | BoardDecoder]] = {
    "native": Decoder,
    "stimjim": lambda: BoardDecoder(StimJimWords()),
    "pulsepal": lambda: BoardDecoder(PulsePalWords()),
}


@click.group()
def traffic() -> None:
    """Look into recorded traffic of a line.

    Example: stimctl traffic show session.traffic
    """


@traffic.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@click.option("--device", type=click.Choice([*_DECODERS]), help="What was at the port.")
def show(file: Path, as_json: bool, device: str | None) -> None:
    """Print recorded traffic decoded: time, sender, sequence number, message and its fields.

    Bytes that are no frame are printed as "damaged", in hex, with the reason. Which device it was is seen from what
    the host sent, unless it is named.

    Example: stimctl traffic show session.traffic
    """
    with file.open(encoding="utf-8", errors="replace") as lines:
        header, records = read_traffic(str(file), lines)
        ahead, problem = _ahead(records)
        decoder = _DECODERS[device or _spoken(ahead)]()
        records = chain(ahead, _raised(problem), records)
        if as_json:
            frames = [line for record in records for line in decoder.feed(record)]
            frames.extend(decoder.finish())
            echo_json(_document(header, decoder, frames))
            return
        first: list[DecodedLine] = []
        try:
            _until_identified(decoder, records, first)
        finally:
            click.echo(f"# traffic on {printable(header.url)}; {_what(header, decoder)}")
            _print(first)
        for record in records:
            _print(decoder.feed(record))
        _print(decoder.finish())
    click.echo(f"# {_what(header, decoder)}; {decoder.damaged} damaged")


def _ahead(records: Iterator[TrafficChunk]) -> tuple[list[TrafficChunk], InputInvalid | None]:
    """The first records, up to one that cannot be read: that is told on its turn."""
    ahead: list[TrafficChunk] = []
    try:
        for record in islice(records, _HANDSHAKE_RECORDS):
            ahead.append(record)
    except InputInvalid as problem:
        return ahead, problem
    return ahead, None


def _raised(problem: InputInvalid | None) -> Iterator[TrafficChunk]:
    if problem is not None:
        raise problem
    yield from ()


def _spoken(records: Iterable[TrafficChunk]) -> str:
    """Whose language the host went on in: what it asked to find a device is answered by one only."""
    sent = b"".join(record.data for record in records if record.sender == "host")
    if STOP in sent:
        return "stimjim"
    return "pulsepal" if HANDSHAKE + ABORT in sent or sent.startswith(HANDSHAKE) else "native"


def _until_identified(
    decoder: Decoder | BoardDecoder, records: Iterator[TrafficChunk], lines: list[DecodedLine]
) -> None:
    """Add to `lines` those up to the one in which the device says what it is, if that comes near the beginning."""
    for record in islice(records, _HANDSHAKE_RECORDS):
        lines += decoder.feed(record)
        if decoder.simulator is not None:
            break


def _print(lines: Iterable[DecodedLine]) -> None:
    width = terminal_columns()
    for line in lines:
        click.echo(line.text() if width is None else "\n".join(folded(line.text(), width, "    ")))


def _is_simulator(header: TrafficHeader, decoder: Decoder | BoardDecoder) -> bool | None:
    """What the device itself said goes before what the header says."""
    return decoder.simulator if decoder.simulator is not None else header.simulator


def _what(header: TrafficHeader, decoder: Decoder | BoardDecoder) -> str:
    if header.rehearsal:
        return REHEARSAL
    return simulator_or_hardware(_is_simulator(header, decoder), "simulator or hardware: not said")


def _document(header: TrafficHeader, decoder: Decoder | BoardDecoder, frames: list[DecodedLine]) -> dict[str, Any]:
    return {
        "url": header.url,
        "simulator": _is_simulator(header, decoder),
        "rehearsal": header.rehearsal,
        "damaged": decoder.damaged,
        "frames": [_frame(line) for line in frames],
    }


def _frame(line: DecodedLine) -> dict[str, Any]:
    """A frame for a program: numbers as numbers, under the names of docs/protocol.md."""
    if line.message is None:
        fields: dict[str, Any] = {name: text.strip('"') for name, text in line.fields.items()}
    else:
        values = line.message._asdict().items()
        fields = {name: value.hex() if isinstance(value, bytes) else value for name, value in values}
    return {"at_us": line.at_us, "from": line.sender, "kind": line.kind, "sequence": line.sequence, "fields": fields}
