"""`stimctl bench watch`: a session that runs in another terminal, seen and not touched."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import click

from stimctl import __version__
from stimctl.cli import codes
from stimctl.new_file import check_new, write_new

if TYPE_CHECKING:
    from stimctl.bench.watched import WatchedSample, WatchedSession

LOOK_S = 1.0
_CODES = (codes.DONE, codes.USAGE, codes.INVALID, codes.LOG, codes.INTERRUPTED)


@click.command(epilog=codes.help_text(_CODES))
@click.option("--port", "url", required=True, metavar="URL", help="Of the session, as it was started with.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write a page here at the end.")
def watch(url: str, html: Path | None) -> None:
    """Watch the session that runs at a port: current, ohms, and the pulse as it should be. It touches nothing.

    The port is never opened: what is watched is what the session logs, each ten seconds. Ctrl-C ends the watching and
    not the session; `stimctl stop` in any terminal ends that.

    \b
    Example:
      stimctl bench watch --port /dev/ttyACM0 --html watched.html
    """
    from stimctl.bench.watched import running_at, watch_page
    from stimctl.ledger import Ledger

    check_new(html, "a page")
    with Ledger(read_only=True) as ledger:
        session = running_at(ledger, url)
        _begin(session)
        pause = Event()
        with suppress(KeyboardInterrupt), _plot() as plot:
            while True:
                new = session.take(ledger.entries(session.session_id))
                for sample in session.samples[len(session.samples) - new :]:
                    click.echo(_line(sample))
                if new:
                    plot(session)
                if session.ended or not ledger.is_running(session.session_id):
                    break
                pause.wait(LOOK_S)
        session.take(ledger.entries(session.session_id))
        runs = ledger.is_running(session.session_id)
    gone = "the program that ran it is gone and wrote no end: look after the subject, and at the leads"
    click.echo(f"it ended: {session.ended}" if session.ended else "it goes on, unwatched" if runs else gone)
    if html is not None:
        made_utc = datetime.now(UTC).isoformat(timespec="seconds")
        write_new(html, [watch_page(session, made_utc, f"stimctl {__version__}")], force=False)
        click.echo(f"page  {html}")


@contextmanager
def _plot() -> "Iterator[Callable[[WatchedSession], None]]":
    """What draws the current of the first channel below the lines: nothing where there is no terminal or no plotext."""
    from stimctl.cli.run.live_screen import can_draw

    try:
        import plotext  # noqa: F401 - asked for before anything is drawn
    except ImportError:
        yield lambda _session: None
        return
    if not can_draw():
        yield lambda _session: None
        return
    from rich.live import Live
    from rich.text import Text

    from stimctl.cli.bench.plot_screen import plot_text

    with Live(auto_refresh=False, transient=True) as live:

        def draw(session: "WatchedSession") -> None:
            first = [each for each in session.samples if each.channel == session.samples[0].channel]
            live.update(Text(plot_text(first, live.console.width)), refresh=True)

        yield draw


def _begin(session: "WatchedSession") -> None:
    kind = "SIMULATOR" if session.opened["simulator"] else "HARDWARE"
    click.echo(f"{kind}: session {session.session_id}, {session.opened['profile']['id']}")
    for pulse in session.pulses:
        click.echo(pulse.text)


def _line(sample: "WatchedSample") -> str:
    from stimctl.units import ma_text
    from stimctl.wire.codes import ohm_text

    measured = "not measured" if sample.measured_ua is None else f"{ma_text(sample.measured_ua)} measured"
    ohm = "resistance not measured" if sample.ohm is None else ohm_text(sample.ohm)
    return f"{sample.t_s:7.1f} s  channel {sample.channel}: {ma_text(sample.applied_ua)} applied, {measured}, {ohm}"
