"""The commands by name, and what `stimctl --help` says of them.

Nothing heavy (click, numpy, pydantic, rich, pyserial) is imported for it. A test holds this text to the one that click
makes.
"""

from stimctl.cli import codes, plugins

ABOUT = """\
Drive a constant-current electroacupuncture stimulator, inside hard limits,
with a log of the dose.

Bench, research and simulation software; not a medical device (see
SAFETY.md)."""
EXAMPLE = "Example: stimctl run low-back-pain --port sim:// --prescription profiles/examples/low-back-pain.toml"
COMMANDS = {
    "ports": ("stimctl.cli.ports:ports", "List the serial ports of this machine."),
    "info": ("stimctl.cli.info:info", "Say who answers at a port."),
    "profile": ("stimctl.cli.profile:profile", "List, explain, check and start profiles."),
    "preview": ("stimctl.cli.preview:preview", "Show a profile's pulses, charge and envelope."),
    "prescription": ("stimctl.cli.prescription:prescription", "Make, check and show prescriptions."),
    "run": ("stimctl.cli.run.command:run", "Run a session, with a live screen and a dose log."),
    "course": ("stimctl.cli.course.command:course", "Follow one subject from visit to visit: plan, due, trends."),
    "stop": ("stimctl.cli.stop:stop", "Stop whatever session runs on this machine."),
    "log": ("stimctl.cli.log.command:log", "Look into the dose log: list, show, verify, export."),
    "bench": ("stimctl.cli.bench:bench", "Drive a dummy load, measure, judge a stimulator's output."),
    "traffic": ("stimctl.cli.traffic:traffic", "Show recorded traffic of a line in words."),
    "replay": ("stimctl.cli.replay:replay", "Check recorded sessions against the driver, without a port."),
}
_OPTIONS = (("--version", "Show the version and exit."), ("-h, --help", "Show this message and exit."))


def listed() -> list[tuple[str, str]]:
    """Each command and what it does: our own in order of use, then those of other packages."""
    found = plugins.find()
    others = [(name, plugins.short_help(name, found[name])) for name in sorted(found) if name not in COMMANDS]
    return [*((name, text) for name, (_, text) in COMMANDS.items()), *others]


def first_help() -> str:
    """The help, 80 columns wide."""
    about = [f"  {line}".rstrip() for line in (*ABOUT.split("\n"), "", EXAMPLE)]
    codes_ = [f"  {line}" for line in codes.help_text(tuple(codes.MEANINGS)).removeprefix("\b\n").split("\n")]
    parts = [
        ["Usage: stimctl [OPTIONS] COMMAND [ARGS]..."],
        about,
        ["Options:", *_columns(_OPTIONS)],
        ["Commands:", *_columns(listed())],
        codes_,
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def _columns(rows: "list[tuple[str, str]] | tuple[tuple[str, str], ...]") -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"  {name.ljust(width)}  {text}" for name, text in rows]
