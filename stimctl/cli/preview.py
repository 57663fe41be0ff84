"""`stimctl preview`: shows what a profile or a prescription would give, before anything is connected."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stimctl.cli.completion import profile_names
from stimctl.cli.done import echo_done
from stimctl.cli.numbers import WholeNumber
from stimctl.errors import Misuse
from stimctl.new_file import write_new

if TYPE_CHECKING:
    from stimctl.prescription import PaperPrescription
    from stimctl.profile import Profile
    from stimctl.report.preview_model import NeedleFigures, PreviewInput

_WIDEST = 110
_SIZE = (100, 24)  # where nobody says how wide the terminal is
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("name", shell_complete=profile_names)
@click.option("--variant", help="Variant of the profile, if it has several.")
@click.option("--prescription", "prescription_file", type=_FILE, help="Show this prescription of the profile.")
@click.option("--channel", type=WholeNumber(1, 4), help="Channel of the prescription; by default its first.")
@click.option("-o", "--output", type=_FILE, help="Write a picture, .png or .svg, readable by you alone.")
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.option("--text", is_flag=True, help="Draw in the terminal: the default without -o.")
def preview(
    *,
    name: str,
    variant: str | None,
    prescription_file: Path | None,
    channel: int | None,
    output: Path | None,
    force: bool,
    text: bool,
) -> None:
    """Show the pulse, one cycle of the pattern and the envelope of the session of the profile NAME.

    With it: charge per phase, and charge density and k for the declared needle. Without a prescription
    the highest amplitude and the longest time that the profile allows are shown, and no needle.

    \b
    Examples:
      stimctl preview low-back-pain
      stimctl preview low-back-pain --prescription profiles/examples/low-back-pain.toml -o plan.svg
    """
    from stimctl.profile import choose, load_profiles
    from stimctl.report.preview import picture
    from stimctl.report.preview import text as drawn
    from stimctl.report.preview_model import caption

    profiles = load_profiles()
    profile = choose(profiles, name)
    if prescription_file is None:
        shown = _of_profile(profile, variant, channel)
    else:
        shown = _of_file(prescription_file, profiles, profile, channel)
    if output is not None:
        write_new(output, [picture(shown, output)], force=force)
    if text or output is None:
        said = drawn(shown, width=min(_WIDEST, shutil.get_terminal_size(_SIZE).columns))
    else:
        said = "\n".join(caption(shown))
    if output is None:
        click.echo(said)
    else:
        echo_done(f"{said}\nThe picture is {output}")


def of_prescription(prescription: "PaperPrescription", channel: int | None = None) -> "PreviewInput":
    """One channel of a prescription; where the operator titrates, at the ceiling. Raises `Misuse`."""
    from stimctl.report.preview_model import PreviewInput

    plan = prescription.plan(channel or prescription.channels[0].channel)
    number = plan.channel
    profile = prescription.profile
    titrated = ", at the ceiling of a titration" if prescription.titrate else ""
    return PreviewInput(
        title=f"{profile.title} ({profile.id} {profile.version}), {plan.first} to {plan.second}"
        f"{titrated}{_standing(prescription)}",
        program=prescription.program,
        channel=number,
        amplitude_ua=prescription.ceiling_ua if prescription.titrate else plan.amplitude_ua,
        needle=_figures(prescription, number),
        on_a_load=plan.needle is None,
    )


def _standing(prescription: "PaperPrescription") -> str:
    """What keeps a plan from being one for this person, now."""
    from stimctl.prescription import Prescription, Subject

    if isinstance(prescription, Prescription):
        return " - REHEARSAL" if prescription.rehearsal else ""
    return ", before the screening" if prescription.subject is Subject.PERSON else ""


def _figures(prescription: "PaperPrescription", channel: int) -> "NeedleFigures | None":
    from stimctl.report.preview_model import NeedleFigures

    needle = prescription.plan(channel).needle
    density, k = prescription.density(channel), prescription.shannon_k(channel)
    rms = prescription.rms_ma_per_cm2(channel)
    if needle is None or density is None or k is None or rms is None:
        return None
    return NeedleFigures(f"{needle.diameter_um / 1000:.2f} x {needle.inserted_um / 1000:g} mm", density, k, rms)


def _of_file(file: Path, profiles: "dict[str, Profile]", profile: "Profile", channel: int | None) -> "PreviewInput":
    from stimctl.prescription import paper_from_file

    prescription = paper_from_file(file, profiles)
    if prescription.profile.id != profile.id:
        raise Misuse(f"{file} prescribes {prescription.profile.id}, not {profile.id}: name the one that is meant")
    return of_prescription(prescription, channel)


def _of_profile(profile: "Profile", variant: str | None, channel: int | None) -> "PreviewInput":
    """The most that the profile allows; where it names no amplitude or minutes, the hard limits, and says so."""
    from stimctl import limits
    from stimctl.profile import ramps, segments
    from stimctl.report.preview_model import PreviewInput
    from stimctl.units import ua_from_ma, us_from_minutes
    from stimctl.waveform import Program

    chosen = profile.variant(variant)
    asked = profile.stimulation
    minutes = asked.minutes.value if asked is not None else None
    amplitude = asked.amplitude_ma.value if asked is not None else None
    slope_ua_per_s, ramp_down_us = ramps(profile)
    stimulation_us = us_from_minutes(minutes.high) if minutes is not None else limits.STIMULATION.high
    number = channel or 1
    state = ", locked" if profile.locked else ""
    return PreviewInput(
        title=f"{profile.title} ({profile.id} {profile.version}, {chosen.id}){state}",
        program=Program(segments(profile, chosen), (number,), slope_ua_per_s, ramp_down_us, stimulation_us),
        channel=number,
        amplitude_ua=ua_from_ma(amplitude.high) if amplitude is not None else limits.CEILING.high,
        open=_left_open(profile),
    )


def _left_open(profile: "Profile") -> str:
    """What nobody has said, in the caption's words; empty for a profile without gaps."""
    stimulation = profile.stimulation
    if stimulation is None:
        return ""
    words = {"amplitude_ma": "amplitude", "minutes": "minutes"}
    drawn = [word for name, word in words.items() if getattr(stimulation, name).value is None]
    if profile.locked:
        open_ = ", ".join(["pairs", *drawn])
        limit = ": the hard limit is drawn, which nobody has prescribed" if drawn else ""
        return f"locked: {open_} unspecified{limit}"
    return f"{' and '.join(drawn)} left open by the profile: the hard limit is drawn" if drawn else ""
