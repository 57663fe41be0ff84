"""`stimctl run`: runs a session from a prescription to a logged dose, while its operator watches.

What a session needs is imported when there is one: `--help` needs none of it.
"""

import sys
from pathlib import Path
from typing import Any

import click

from stimctl.cli import codes
from stimctl.cli.completion import profile_names, session_ids
from stimctl.cli.device_options import device_options, missing_port
from stimctl.cli.streams import at_terminal
from stimctl.cli.table import json_option
from stimctl.cli.texts import label

_FILE = click.Path(dir_okay=False, path_type=Path)
REHEARSAL_URL = "sim://?pace=real"


@click.command(epilog=codes.help_text(tuple(codes.MEANINGS)))
@click.argument("name", required=False, shell_complete=profile_names)
@device_options(required=False)
@click.option(
    "--prescription",
    "prescription_file",
    type=_FILE,
    help="A prescription's file; without one, the questions are asked.",
)
@click.option(
    "--again",
    metavar="[WHO]",
    is_flag=False,
    flag_value="",
    shell_complete=session_ids,
    callback=lambda ctx, option, who: who and label(ctx, option, who),
    help="The last prescription of a pseudonym, of a session by its id, or `latest` of all: asked is only what is new.",
)
@click.option("--rehearse", is_flag=True, help="A person's whole session, on the simulator; marked REHEARSAL.")
@click.option("--variant", help="Variant of the profile, if it has several and the questions are asked.")
@click.option("--save", type=_FILE, help="Also write the prescription into this new file.")
@click.option("--picture", type=_FILE, help="Also draw the waveform into this new PNG or SVG file.")
@click.option("--record-traffic", "traffic_file", type=_FILE, help="Record the bytes on the line in this new file.")
@click.option("--unattended", is_flag=True, help="Wait for nobody at any step: dummy loads and simulators only.")
@json_option
def run(
    *,
    url: str | None,
    prescription_file: Path | None,
    save: Path | None,
    picture: Path | None,
    traffic_file: Path | None,
    unattended: bool,
    as_json: bool,
    rehearse: bool,
    **typed: Any,
) -> None:
    """Run a session of the profile NAME, show it live, and log its dose.

    At a terminal the device is identified first, then what is missing is asked, and it waits for Enter before the leads
    are connected and before the ramp. Keys: + and - raise and lower the selected channel by 0.1 mA, 1 to 4 select it,
    h holds, Enter goes on, and s, space, q or Esc stop. Ctrl-C and a closed terminal stop too, as does `stimctl stop`.

    Without a terminal it takes each step by itself, for dummy loads and simulators only.

    \b
    Examples:
      stimctl run low-back-pain --port sim:// --prescription profiles/examples/low-back-pain.toml
      stimctl run low-back-pain --rehearse
      stimctl run --again P-17 --port /dev/ttyACM0
      stimctl run bench-2-100hz --port /dev/ttyACM0 --device stimjim --prescription load.toml
    """
    if url is None and not rehearse:
        raise missing_port(click.get_current_context())
    if prescription_file is not None and typed["again"] is not None:
        raise click.UsageError("--again and --prescription exclude each other: both name a prescription")
    from stimctl.cli.run.attending import attended_url
    from stimctl.cli.run.preparing import RunRequest
    from stimctl.cli.run.running import NewFiles, run_session

    terminal = at_terminal() and not as_json
    attended, url = terminal and not unattended, url or REHEARSAL_URL
    request = RunRequest(
        url=attended_url(url) if attended else url,
        attended=attended,
        file=prescription_file,
        rehearse=rehearse,
        as_json=as_json,
        **typed,
    )
    files = NewFiles(save, picture, traffic_file)
    sys.exit(run_session(request, files, terminal=terminal, as_json=as_json))
