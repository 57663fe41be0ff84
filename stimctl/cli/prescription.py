"""`stimctl prescription`: makes, checks and shows prescriptions, and takes one back out of the log."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stimctl.cli.completion import profile_names, session_ids
from stimctl.cli.done import echo_done
from stimctl.cli.table import echo_file, echo_json, json_option, pairs
from stimctl.errors import Misuse

if TYPE_CHECKING:
    from stimctl.prescription import PaperPrescription

_FILE = click.Path(dir_okay=False, path_type=Path)
_OUTPUT = click.option("-o", "--output", type=_FILE, help="Write it into this new file instead of printing it.")


@click.group()
def prescription() -> None:
    """Make, check and show prescriptions: a profile completed for one subject.

    A screening never stands in one: it is asked for each session.

    Example: stimctl prescription check FILE
    """


@prescription.command()
@click.argument("name", shell_complete=profile_names)
@click.option("--variant", help="Variant of the profile, if it has several.")
@_OUTPUT
def new(name: str, variant: str | None, output: Path | None) -> None:
    """Ask for a prescription of the profile NAME, at a terminal, without a device and without a screening.

    Answers that do not come to be one, after Ctrl-C for instance, are offered at the next start.

    Example: stimctl prescription new low-back-pain -o p-17.toml
    """
    from stimctl.cli.ask.draft import Draft
    from stimctl.cli.ask.form import HELP, Form
    from stimctl.cli.ask.prescription import PrescriptionQuestions
    from stimctl.cli.streams import at_terminal
    from stimctl.new_file import check_new
    from stimctl.profile import choose, load_profiles

    if not at_terminal():
        raise Misuse("the questions are asked only at a terminal; docs/profiles.md shows how to write a file")
    profiles = load_profiles()
    profile = choose(profiles, name)
    if profile.stimulation is None:
        profile.variant(variant)  # raises, saying why there is nothing to stimulate
    check_new(output, "a prescription")
    questions = PrescriptionQuestions(profile, variant, profiles)
    click.echo(HELP)
    draft = Draft(profile.id, paper=True)
    left = draft.offered()

    def all_of_it(form: Form) -> dict[str, Any]:
        subject, pseudonym = questions.who(form)
        if left.get("pseudonym", pseudonym) != pseudonym:  # no settings of one person stand for another
            form.forget(set(left) - {"subject", "pseudonym"})
            left.clear()
        return questions.rest(form, subject, pseudonym)

    _give(Form(left, draft.save).fill(all_of_it), output)
    draft.remove()


@prescription.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
def check(files: tuple[Path, ...]) -> None:
    """Check prescriptions against their profiles and every limit that can be known from paper.

    Example: stimctl prescription check profiles/examples/low-back-pain.toml
    """
    from stimctl.prescription import paper_from_file

    for file in files:
        paper = paper_from_file(file)
        screened = "; its screening is asked at the session" if paper.subject == "person" else ""
        click.echo(f"{file} can be run: {paper.profile.id} {paper.profile.version} for a {paper.subject}{screened}")
        for flag in paper.flags:
            click.echo(f"  ! {flag}")


@prescription.command()
@click.argument("file", type=_FILE)
@json_option
def show(file: Path, as_json: bool) -> None:
    """Show what a prescription asks for and what would be reached, in words.

    Example: stimctl prescription show profiles/examples/low-back-pain.toml
    """
    from stimctl.cli.run.wording import plan_lines
    from stimctl.prescription import paper_from_file

    paper = paper_from_file(file)
    if as_json:
        echo_json(paper.record())
        return
    click.echo(pairs(_facts(paper)))
    click.echo("\n".join(["", *plan_lines(paper), *_reached(paper), *(f"! {flag}" for flag in paper.flags)]))


@prescription.command("from-log")
@click.argument("session_id", metavar="ID", shell_complete=session_ids)
@_OUTPUT
def from_log(session_id: str, output: Path | None) -> None:
    """Take the prescription of a session out of the log: ID is a session's, its beginning or end, or latest.

    Example: stimctl prescription from-log latest -o again.toml
    """
    from stimctl.cli.run.again import values_in_log

    _give(values_in_log(session_id), output)


def _give(values: dict[str, Any], output: Path | None) -> None:
    from stimctl.cli.run.saving import HEADING, save_prescription
    from stimctl.prescription import toml_text

    if output is None:
        echo_file(toml_text(values, HEADING))
        return
    save_prescription(values, output)
    echo_done(f"The prescription is {output}")


def _facts(paper: "PaperPrescription") -> list[tuple[str, object]]:
    profile, clinician = paper.profile, paper.clinician
    return [
        ("profile", f"{profile.title} ({profile.id} {profile.version}, {profile.variant})"),
        ("subject", f"{paper.subject}, {paper.pseudonym}"),
        ("operator", paper.operator),
        *([("load", f"{paper.declared_ohm} ohm")] if paper.declared_ohm is not None else []),
        *([("approval", paper.approval)] if paper.approval is not None else []),
        *([("clinician", f"{clinician.name} answers for {_answered(paper)}")] if clinician is not None else []),
    ]


def _answered(paper: "PaperPrescription") -> str:
    clinician = paper.clinician
    assert clinician is not None
    return ", ".join([*clinician.completes, *(f"less {name}" for name in clinician.lowers)]) or "nothing"


def _reached(paper: "PaperPrescription") -> list[str]:
    from stimctl.units import US_PER_S, ma_text

    if paper.titrate:
        return []
    found = ((each, paper.reached(each.channel)) for each in paper.channels)
    return [
        f"channel {each.channel}: {ma_text(comes.amplitude_ua)} reached after {comes.at_us / US_PER_S:.1f} s, "
        f"{ma_text(each.amplitude_ua)} asked for"
        for each, comes in found
    ]
