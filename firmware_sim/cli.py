"""`stimctl sim`: runs the simulated stimulator as a process of its own, behind a pty or a TCP port."""

import signal
import socket
from contextlib import ExitStack
from dataclasses import replace
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

import click

from firmware_sim.analog.load import LOADS, UnknownLoad, load_named
from firmware_sim.analog.record_rate import RATE_HZ, RECORD_RATES_HZ
from firmware_sim.factory import DEVICES, DIALECTS, FIRMWARES, UNSEEN, WITH_SCENARIOS, DeviceSpec, UnknownDevice
from firmware_sim.sim_url import SimOptions

if TYPE_CHECKING:
    from firmware_sim.analog.recorder import Recorder

_FILE = click.Path(dir_okay=False, path_type=Path)

_LOADS = f"What its outputs drive: {', '.join(LOADS)}; 'nominal,2=open' gives channel 2 its own."
_SEED = "Makes its noise, and the chance in its nonces, which the system draws when no seed is given."
_EXAMPLE = """\b
Examples:
  stimctl sim --pty --link /tmp/stimulator
  stimctl sim --tcp 7000 --load dry
  stimctl sim --pty --device stimjim --dialect a
  stimctl sim --pty --device pulsepal --firmware 22 --isolator 1.0
  stimctl sim --pty --link /tmp/stimulator --scenario faults.toml
  stimctl info --port /tmp/stimulator        (in another terminal)

\b
Exit codes:
    0  done; also when Ctrl-C, SIGTERM or a closed terminal ended it
    2  the command was not understood
    3  a file, a name or a port cannot be had
"""


class _CannotStart(click.ClickException):
    """A file or a port that cannot be had."""

    exit_code = 3


class _NotPrinted(Exception):
    """Nobody reads what is printed, or it finds no room: no fault of the line."""

    def __init__(self, fault: OSError) -> None:
        super().__init__(fault)
        self.fault = fault


def _known_load(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    if name is None:
        return None
    try:
        load_named(name)
    except UnknownLoad as problem:
        raise click.BadParameter(str(problem)) from None
    return name


@click.command(epilog=_EXAMPLE)
@click.option("--pty", is_flag=True, help="Behind a pseudo-terminal, which opens like a serial port.")
@click.option("--tcp", type=click.IntRange(0, 65535), metavar="PORT", help="Behind a TCP port; 0 takes any free one.")
@click.option("--load", callback=_known_load, show_default="nominal", metavar="NAME", help=_LOADS)
@click.option("--seed", type=click.IntRange(0, 99_999_999), show_default="1", help=_SEED)
@click.option("--scenario", type=_FILE, help="Take faults, load and seed from this scenario; see docs/faults.md.")
@click.option("--flash", type=_FILE, help="Keep boots, session numbers and counters in this file.")
@click.option(
    "--journal", type=_FILE, help="Append the device's journal to this file, as JSON lines; no other file is taken."
)
@click.option(
    "--record", type=_FILE, help="Write the current into the load to this file, anew each time; see docs/simulator.md."
)
@click.option("--record-rate", type=click.IntRange(*RECORD_RATES_HZ), default=RATE_HZ, metavar="HZ",
              show_default=True, help="Samples a second of --record.")  # fmt: skip
@click.option("--link", type=_FILE, help="Make a symbolic link to the pseudo-terminal.")
@click.option(
    "--device", type=click.Choice(DEVICES), default="native", show_default=True, help="The device to simulate."
)
@click.option("--dialect", type=click.Choice(DIALECTS), help="A StimJim's firmware: Pulser, stimjimAWG, RP2354B.")
@click.option("--firmware", type=click.Choice(FIRMWARES), help="A PulsePal's firmware.")
@click.option("--isolator", metavar="MA_PER_V", help="A PulsePal's isolator: mA for each volt.")
@click.option(
    "--faults", metavar="NAMES", help="Faults of a StimJim or PulsePal, as lost_stop,-wrap; a wrong one lists them."
)
def sim(
    *,
    pty: bool,
    tcp: int | None,
    load: str | None,
    seed: int | None,
    scenario: Path | None,
    flash: Path | None,
    journal: Path | None,
    record: Path | None,
    record_rate: int,
    link: Path | None,
    device: str,
    dialect: str | None,
    firmware: str | None,
    isolator: str | None,
    faults: str | None,
) -> None:
    """Run a simulated stimulator in real time, until Ctrl-C.

    The first line printed is the port to give to the other commands.
    """
    if pty == (tcp is not None):
        raise click.UsageError("say how to reach it: either --pty or --tcp PORT")
    if link is not None and not pty:
        raise click.UsageError("--link names a pseudo-terminal: use it with --pty")
    try:
        spec = DeviceSpec(device, dialect, firmware, isolator, faults)
    except UnknownDevice as problem:
        raise click.UsageError(str(problem)) from None
    if flash is not None and device != "native":
        raise click.UsageError(f"--flash belongs to the native device: what {device} keeps, no file does")
    for name, kept in (("journal", journal), ("record", record)):
        if kept is not None and device == UNSEEN:
            raise click.UsageError(f"--{name}: {device} has no pins and no journal; use --device firmware")
    if scenario is not None and device not in WITH_SCENARIOS:
        what = "has no board for them" if device == "firmware-host" else "has faults of its own, see --faults"
        raise click.UsageError(f"--scenario belongs to the devices {' and '.join(WITH_SCENARIOS)}: {device} {what}")
    options = replace(_options(spec, load, seed, scenario), record=record, record_rate=record_rate, flash=flash)
    # Here, so that other commands' help does not wait for it.
    from firmware_sim.native.flash import FlashUnusable
    from firmware_sim.serve import CannotServe

    try:
        with ExitStack() as open_things:
            seeded = seed is not None or scenario is not None
            _run(open_things, options, tcp, journal, link, seeded=seeded)
    except _NotPrinted as unread:
        raise unread.fault from None  # the command's group says what that means
    except (FlashUnusable, CannotServe, UnknownDevice) as problem:
        raise _CannotStart(str(problem)) from None
    except OSError as problem:
        where = f"{problem.filename or 'the line'}: {problem.strerror}"
        raise _CannotStart(str(problem) if problem.strerror is None else where) from None


def _options(spec: DeviceSpec, load: str | None, seed: int | None, scenario: Path | None) -> SimOptions:
    """What the options say, over what the scenario says, over the defaults."""
    chosen = SimOptions(spec=spec)
    if scenario is not None:
        from firmware_sim.faults import read_setting

        setting = read_setting(scenario)
        chosen = replace(chosen, load=setting.load, seed=setting.seed, faults=setting.faults)
    return replace(chosen, load=chosen.load if load is None else load, seed=chosen.seed if seed is None else seed)


def _run(
    open_things: ExitStack,
    options: SimOptions,
    tcp: int | None,
    journal: Path | None,
    link: Path | None,
    *,
    seeded: bool,
) -> None:
    from firmware_sim.native.flash import FileFlash, Flash
    from firmware_sim.native.identity import firmware_sha256
    from firmware_sim.native.nonces import by_system
    from firmware_sim.running_clock import RunningClock
    from firmware_sim.serve import JournalWriter, PtyLine, TcpLine, serve

    if options.spec.device == "native":
        firmware_sha256()  # takes 30 ms, once: a host that asks for it on a busy machine would find the line silent
    memory = FileFlash(options.flash) if options.flash is not None else Flash()
    open_things.callback(memory.close)
    clock = RunningClock()
    boot_us = clock.now_us()
    told = None
    if journal is not None:
        told = JournalWriter(open_things.enter_context(_journal(journal)), boot_us, clock)
    recorder = _recorder(open_things, options.record, options.record_rate) if options.record is not None else None
    line = PtyLine(link) if tcp is None else TcpLine(tcp)
    open_things.callback(line.close)
    stopping = _stop_signals(open_things)
    spec, load, seed = options.spec, options.load, options.seed
    # Faults come with a scenario and its seed, so a device with faults never draws otherwise than by it.
    chance = {} if seeded else {"draw": by_system}
    device = options.make(
        seed=seed, load=load, flash=memory, recorder=recorder, journal=told, boot_us=boot_us, **chance
    )
    open_things.callback(device.close)
    what = "" if spec.device == "native" else f"{spec.device}, "
    count = len(options.faults or ())
    faults = f", {count} fault{'s'[: count > 1]}" if count else ""
    what += f"load {load}, seed {seed}{faults}"
    try:
        click.echo(f"{line.url}\nSIMULATOR ({what}): no current flows into anything real. Ctrl-C ends it.")
    except OSError as fault:
        raise _NotPrinted(fault) from fault
    serve(device, line, stopping, clock)


def _journal(path: Path) -> TextIOWrapper:
    """The file to append to: a journal, or a new one."""
    file = path.open("a", encoding="utf-8")
    if path.is_file() and path.read_bytes()[:1] not in (b"", b"{"):
        file.close()
        raise _CannotStart(f"{path} is no journal, and nothing is added to it: name another file with --journal")
    return file


def _recorder(open_things: ExitStack, path: Path, rate_hz: int) -> "Recorder":
    from firmware_sim.analog.record_file import open_recorder

    if not path.parent.is_dir():
        raise _CannotStart(f"there is no folder {path.parent} for --record; make it, or name another file")
    recorder = open_recorder(path, rate_hz)
    open_things.callback(recorder.close)
    return recorder


def _stop_signals(open_things: ExitStack) -> socket.socket:
    """A socket that a byte arrives on when the process is asked to end."""
    near, far = socket.socketpair()
    open_things.callback(near.close)
    open_things.callback(far.close)
    far.setblocking(False)
    before_fd = signal.set_wakeup_fd(far.fileno(), warn_on_full_buffer=False)
    open_things.callback(signal.set_wakeup_fd, before_fd)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            number = getattr(signal, name)
            open_things.callback(signal.signal, number, signal.signal(number, lambda *_: None))
    return near
