"""`stimctl replay`: runs recorded sessions again through the driver, and compares each byte that it would send."""

import sys
from pathlib import Path
from typing import Any

import click

from stimctl.cli import codes
from stimctl.cli.numbers import Number
from stimctl.cli.table import echo_json, json_option
from stimctl.replay import TOLERANCE_US, ReplayResult, read_recording
from stimctl.replay import replay as replay_recording

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_CODES = (codes.DONE, codes.USAGE, codes.INVALID, codes.UNSAFE, codes.UNMET)


@click.command(epilog=codes.help_text(_CODES))
@click.argument("files", nargs=-1, required=True, type=_FILE, metavar="FILE...")
@click.option(
    "--tolerance-ms",
    type=Number(0, 1_000),
    default=TOLERANCE_US / 1_000,
    show_default=True,
    help="How far a message may be from its recorded time.",
)
@json_option
def replay(files: tuple[Path, ...], tolerance_ms: float, as_json: bool) -> None:
    """Run recorded sessions again, without a port, and check that the driver sends the same at the same times.

    The device's side comes from the record. There is no way to replay to a port: nothing is ever sent anywhere.

    Example: stimctl replay tests/recordings/*.traffic
    """
    tolerance_us = round(tolerance_ms * 1_000)
    done = []
    for file in files:
        replayed = replay_recording(read_recording(file), tolerance_us)
        done.append(replayed)
        if not as_json:
            click.echo(_sentence(replayed))
    if as_json:
        echo_json([_document(replayed) for replayed in done])
    sys.exit(codes.DONE if all(replayed.same for replayed in done) else codes.UNMET)


def _sentence(replayed: ReplayResult) -> str:
    recording, difference = replayed.recording, replayed.difference
    if difference is not None:
        since_s = (difference.at_us - recording.begun_us) / 1e6
        sent = f"after {replayed.sent} pieces, {since_s:.3f} s from the beginning"
        return f"{recording.source}: DIFFERS {sent}\n  {difference}"
    ended = "the record is cut short there" if recording.end is None else f"ended: {recording.end.value}"
    times = f"at most {replayed.worst_us / 1_000:g} ms off ({replayed.tolerance_us / 1_000:g} ms are allowed)"
    return f"{recording.source}: the same {replayed.sent} pieces sent, {times}; {ended}"


def _document(replayed: ReplayResult) -> dict[str, Any]:
    recording, difference = replayed.recording, replayed.difference
    return {
        "file": recording.source,
        "url": recording.header.url,
        "same": replayed.same,
        "sent": replayed.sent,
        "worst_us": replayed.worst_us,
        "tolerance_us": replayed.tolerance_us,
        "end": None if recording.end is None else recording.end.value,
        "difference": None
        if difference is None
        else {"at_us": difference.at_us, "expected": difference.expected, "got": difference.got},
    }
