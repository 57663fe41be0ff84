"""`stimctl log note | adverse | score | correct | sign | backup | restore | recover`: adds to the log, and keeps it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stimctl.cli import codes
from stimctl.cli.completion import session_ids
from stimctl.cli.done import echo_done
from stimctl.cli.log.group import log, opened
from stimctl.cli.numbers import Number, WholeNumber
from stimctl.cli.texts import author, label
from stimctl.errors import Misuse
from stimctl.label import Prose
from stimctl.ledger.place import ledger_is_there
from stimctl.units import counted

if TYPE_CHECKING:
    from stimctl.entries import LogEntry

_FILE = click.Path(dir_okay=False, path_type=Path)
_LOG_CODES = codes.help_text((codes.DONE, codes.USAGE, codes.INVALID, codes.LOG))


@log.command(epilog=_LOG_CODES)
@click.argument("session", metavar="ID", shell_complete=session_ids)
@click.argument("text", metavar="TEXT")
@author
@click.pass_obj
def note(path: Path, session: str, text: str, author: str | None) -> None:
    """Add a note to a session, as a new entry: nothing that was written is changed.

    Example: stimctl log note latest "needle 2 was bent" --author AO
    """
    from stimctl.entries import NoteTaken

    _add(path, session, NoteTaken(text=_words(text), author=author))


@log.command(epilog=_LOG_CODES)
@click.argument("session", metavar="ID", shell_complete=session_ids)
@click.argument("text", metavar="TEXT")
@click.option("--severity", type=click.Choice(["mild", "moderate", "severe"]), help="As you judge it.")
@author
@click.pass_obj
def adverse(path: Path, session: str, text: str, severity: str | None, author: str | None) -> None:
    """Add an adverse event to a session, as a new entry: what happened, and what was done.

    Example: stimctl log adverse latest "fainted, lay down, well after 10 min" --severity mild --author AO
    """
    from stimctl.entries import AdverseEvent

    _add(path, session, AdverseEvent(text=_words(text), severity=severity, author=author))


@log.command(epilog=_LOG_CODES)
@click.argument("session", metavar="ID", shell_complete=session_ids)
@click.option("--when", type=click.Choice(["before", "after"]), required=True, help="The session.")
@click.option("--pain", type=Number(0, 10), help="0 none, 10 the worst.")
@click.option("--sensation", type=Number(0, 10), help="At the needles.")
@author
@click.pass_obj
def score(path: Path, session: str, when: str, pain: float | None, sensation: float | None, author: str | None) -> None:
    """Add scores to a session, as a new entry: forgotten ones, or those that take the place of wrong ones.

    Example: stimctl log score latest --when before --pain 6 --author AO
    """
    from stimctl.entries import OutcomeScored

    if pain is None and sensation is None:
        raise click.UsageError("nothing to add: give --pain or --sensation")
    _add(path, session, OutcomeScored(when=when, pain=pain, sensation=sensation, author=author))


@log.command(epilog=_LOG_CODES)
@click.argument("number", metavar="NUMBER", type=WholeNumber(1))
@click.argument("text", metavar="TEXT")
@author
@click.pass_obj
def correct(path: Path, number: int, text: str, author: str | None) -> None:
    """Say what is right where entry NUMBER is wrong, as a new entry: the wrong one stays as it is.

    The number was told when the entry was added; `stimctl log show` and `stimctl course show` have it beside the text.

    Example: stimctl log correct 412 "the needle was 0.25 mm" --author AO
    """
    if not ledger_is_there(path):
        raise Misuse(f"the ledger {path} holds no entry yet")
    with opened(path, read_only=False) as ledger:
        added = ledger.correct(number, _words(text), author)
    echo_done(f"Entry {number} is corrected by entry {added}.")


def _words(text: str) -> str:
    try:
        return str(Prose(text))
    except ValueError as wrong:
        raise Misuse(f"the text {wrong}") from None


def _add(path: Path, session: str, entry: "LogEntry") -> None:
    if not ledger_is_there(path):
        raise Misuse(f"the ledger {path} holds no session yet")
    with opened(path, read_only=False) as ledger:
        one = ledger.resolve(session)
        number = ledger.add(one, entry)
    echo_done(f"Added to session {one} as entry {number}.")


@log.command(epilog=_LOG_CODES)
@click.argument("target", type=_FILE, metavar="FILE")
@click.pass_obj
def backup(path: Path, target: Path) -> None:
    """Copy the ledger, as it is at this moment, into FILE; sessions may go on meanwhile. The copy is verified.

    Example: stimctl log backup /media/usb/ledger-2026-01-31.sqlite
    """
    from stimctl.ledger.replace import back_up

    with opened(path) as ledger:
        mark = back_up(ledger, target)
    echo_done(f"{counted(mark.number, 'entry')} copied to {target}, and verified.\nHead hash: {mark.hash.hex()}")


@log.command(epilog=_LOG_CODES)
@click.argument("source", type=_FILE, metavar="FILE")
@click.pass_obj
def restore(path: Path, source: Path) -> None:
    """Put the backup in FILE in the place of the ledger. What was there is kept aside; the restore is an entry.

    Example: stimctl log restore /media/usb/ledger-2026-01-31.sqlite
    """
    from stimctl.ledger.replace import restore as put_back

    echo_done(f"Restored: {put_back(path, source)}.\nWhat was there is kept in {path.with_suffix('.sealed')}.")


@log.command(epilog=_LOG_CODES)
@click.pass_obj
def recover(path: Path) -> None:
    """Keep every entry that can be read of a damaged ledger, and say what is lost.

    The damaged files are kept aside, as they are. Entries count only if their own hash says that they are as written.

    Example: stimctl log recover
    """
    from stimctl.ledger.replace import recover as keep_readable

    if not ledger_is_there(path):
        raise Misuse(f"there is no ledger at {path}")
    echo_done(f"Recovered: {keep_readable(path)}.\nThe damaged files are kept in {path.with_suffix('.sealed')}.")


@log.command(epilog=_LOG_CODES)
@click.argument("session", metavar="ID", shell_complete=session_ids)
@click.option("--key", type=_FILE, required=True, help="The private key (PEM); with --command, the public one.")
@click.option("--command", help="Signs elsewhere: the message on its input, 64 bytes (or hex, base64) on its output.")
@click.option("--signer", callback=label, help="Who signs: a name to be written beside the signature.")
@click.pass_obj
def sign(path: Path, session: str, key: Path, command: str | None, signer: str | None) -> None:
    """Sign a session and all that the ledger holds by now (Ed25519), as a new entry.

    A private key that you can read proves nothing against you: keep it on another machine or on a token, and name the
    command that signs there. Check with `stimctl log verify --key`.

    \b
    Example: stimctl log sign latest --key /media/usb/clinic.pem
      stimctl log sign latest --key clinic.pem.pub --command "ssh signer sign-ed25519"
    """
    from stimctl.ledger import signature as s

    s.outside(key, path)
    who = s.by_command(command, s.public_key_of(key)) if command else s.by_key(key)
    with opened(path, read_only=False) as ledger:
        one = ledger.resolve(session)
        number = s.sign(ledger, one, who, signer)
    echo_done(f"Session {one} is signed, as entry {number}, by the key {who.public_key.hex()}.")


@log.command(epilog=_LOG_CODES)
@click.argument("target", type=_FILE, metavar="FILE")
@click.pass_obj
def keygen(path: Path, target: Path) -> None:
    """Make a key to sign with: the private one in FILE, for you alone, the public one in FILE.pub.

    Example: stimctl log keygen /media/usb/clinic.pem
    """
    from stimctl.ledger import signature as s

    s.outside(target, path)
    public = s.make_key(target)
    echo_done(f"Key {public.hex()} made: keep {target} off this machine, and give {target}.pub to who verifies.")
