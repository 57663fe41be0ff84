"""A prescription: complete, and inside every limit that can be known from paper.

Making one runs every check, by whatever way it is made: `dataclasses.replace` and the constructor check just
as a file's reader does. The program that a device plays is derived in the same step and cannot be given.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from stimctl import anatomy, limits
from stimctl.anatomy import Placement
from stimctl.errors import Misuse, Problem, Unsafe
from stimctl.prescription.checks import checked_program
from stimctl.prescription.completion import lowered, to_answer_for
from stimctl.prescription.plan import (
    GAPS,
    LIVING,
    ChannelPlan,
    Clinician,
    Coating,
    Flag,
    Needle,
    PrescriptionFields,
    ProfileRef,
    Subject,
)
from stimctl.profile import Origin
from stimctl.units import charge_text, hz_text, ma_text
from stimctl.waveform import Program, Reached, reached


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperPrescription(PrescriptionFields):
    """What can be read, shown and kept. Amplitudes and the ceiling in uA, peak of the first phase; times in us.

    Raises `Unsafe` with every problem: field, value, limit and why. No session takes one: a `Prescription` is one that
    a person was screened for.
    """

    SCREENED: ClassVar[bool] = False

    program: Program = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "program", checked_program(self, screened=self.SCREENED))

    @property
    def profile(self) -> ProfileRef:
        """Which profile this follows: identity, version and hash, for screen and log."""
        profile = self.protocol
        return ProfileRef(profile.id, profile.version, profile.sha256, profile.title, self.variant)

    @property
    def mode(self) -> str:
        """The frequency, as people call it."""
        if self.segments is not None:
            return "/".join(hz_text(each.period_us).removesuffix(" Hz") for each in self.segments) + " Hz"
        return str(self.protocol.variant(self.variant).mode.value)

    @property
    def targets_ua(self) -> dict[int, int]:
        """Each channel's target; 0 where the operator titrates."""
        return {plan.channel: plan.amplitude_ua for plan in self.channels}

    def plan(self, channel: int) -> ChannelPlan:
        """The plan of one channel. Raises `Misuse` when it has none."""
        for plan in self.channels:
            if plan.channel == channel:
                return plan
        raise Misuse(f"channel {channel} is not in this prescription")

    def reached(self, channel: int) -> Reached:
        """What a channel comes to if nobody touches it; nothing where the operator titrates. Raises `Misuse`."""
        return reached(self.program, channel, self.plan(channel).amplitude_ua)

    @property
    def placements(self) -> list[Placement]:
        """Where the needles are; none where all is on a load's terminals."""
        return [end for plan in self.channels for end in plan.ends if isinstance(end, Placement)]

    @property
    def sites(self) -> frozenset[str]:
        """The limbs, and the trunk, through which current flows at once."""
        return anatomy.sites(self.placements)

    # --- figures at the ceiling, in the band that is worst ---

    @property
    def charge_per_phase_pc(self) -> int:
        """The most charge that a phase can have."""
        return max(segment.charge_pc(self.ceiling_ua) for segment in self.program.segments)

    def density(self, channel: int) -> float | None:
        """Charge density a phase, uC/cm2, on the declared needle; None for a load, which has none."""
        needle = self.plan(channel).needle
        return None if needle is None else needle.density_uc_per_cm2(self.charge_per_phase_pc)

    def shannon_k(self, channel: int) -> float | None:
        """Shannon's k on the declared needle; None for a load."""
        needle = self.plan(channel).needle
        return None if needle is None else needle.shannon_k(self.charge_per_phase_pc)

    def rms_ma_per_cm2(self, channel: int) -> float | None:
        """Rms current density on the declared needle; None for a load."""
        needle = self.plan(channel).needle
        if needle is None:
            return None
        return max(needle.rms_ma_per_cm2(segment, self.ceiling_ua) for segment in self.program.segments)

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What is shown and logged, and stops nothing."""
        found = []
        if self.charge_per_phase_pc >= limits.CHARGE_FLAG_PC:
            said = f"{charge_text(self.charge_per_phase_pc)} a phase at the ceiling; needles corroded in rats at"
            found.append(Flag("charge", f"{said} {charge_text(limits.CHARGE_FLAG_PC)} [lit]"))
        for plan in self.channels:
            found += self._needle_flags(plan)
            found += self._amplitude_flags(plan)
        name = self.clinician.name if self.clinician else ""
        found += [Flag("lowered", f"{text}: less, as {name} chose") for text in lowered(self).values()]
        found += [Flag("placement", text) for text in anatomy.warnings(self.placements)]
        if len(self.sites) > 1:
            text = f"current on {' and '.join(sorted(self.sites))} at once"
            found.append(Flag("isolation", f"{text}: only with a device that says its outputs are isolated"))
        if self.pregnant and any(end.region in anatomy.TRUNK_BELOW_CHEST for end in self.placements):
            text = "abdomen and lower back are not to be needled in pregnancy (WHO guidelines on safety, 1999) [lit]"
            found.append(Flag("pregnancy", text))
        found += [Flag("screening", text) for text in (self.screening.warnings if self.screening else ())]
        found += [Flag("under-dosing", note.wording) for note in self.protocol.notes if note.about == "under-dosing"]
        return tuple(found)

    def _needle_flags(self, plan: ChannelPlan) -> list[Flag]:
        found = []
        rms = self.rms_ma_per_cm2(plan.channel)
        if rms is not None and rms > limits.RMS_FLAG_MA_PER_CM2:
            text = (
                f"{rms:.1f} mA/cm2 rms at the ceiling is over {limits.RMS_FLAG_MA_PER_CM2:g}, the level that"
                " IEC 60601-2-10 asks an operator to attend to [lit]"
            )
            found.append(Flag("density", text, plan.channel))
        if plan.needle is not None and plan.needle.coating is not Coating.NONE:
            text = f"the needle's {plan.needle.coating} coating is not in the density, which is a bare cylinder's"
            found.append(Flag("coating", text, plan.channel))
        return found

    def _amplitude_flags(self, plan: ChannelPlan) -> list[Flag]:
        found = []
        assert self.protocol.stimulation is not None
        to_tolerance = self.protocol.stimulation.to_tolerance
        if self.subject is Subject.PERSON and not self.titrate and to_tolerance is not None and to_tolerance.value:
            text = f"{ma_text(plan.amplitude_ua)} is fixed, and {self.protocol.id} says to patient tolerance: titrate"
            found.append(Flag("tolerance", f"{text} [source]", plan.channel))
        comes = self.reached(plan.channel)
        if comes.amplitude_ua < plan.amplitude_ua:
            text = f"{ma_text(comes.amplitude_ua)} will be reached, not {ma_text(plan.amplitude_ua)}"
            found.append(Flag("reached", f"{text}: the time is too short for the ramps", plan.channel))
        return found

    # --- for the log ---

    def provenance(self) -> dict[str, str]:
        """Who says which pairs, amplitude and minutes: the profile's own origin, or the clinician."""
        completes, lowers = to_answer_for(self)
        origins = {name: str(getattr(self.protocol.stimulation, name).origin) for name in GAPS}
        return origins | dict.fromkeys((*completes, *lowers), str(Origin.CLINICIAN))

    def record(self) -> dict[str, Any]:
        """JSON-able, for the log: everything that was prescribed, and the figures shown beside it."""
        profile = self.profile
        return {
            "subject": self.subject.value,
            "operator": self.operator,
            "pseudonym": self.pseudonym,
            "profile": {name: getattr(profile, name) for name in profile.__slots__},
            "mode": self.mode,
            "titrate": self.titrate,
            "ramp_only": self.ramp_only,
            "ceiling_ua": self.ceiling_ua,
            "stimulation_us": self.stimulation_us,
            "charge_per_phase_pc": self.charge_per_phase_pc,
            "channels": [self._channel_record(plan) for plan in self.channels],
            "program": _program_record(self.program),
            "provenance": self.provenance(),
            "declared_ohm": self.declared_ohm,
            "approval": self.approval,
            "pregnant": self.pregnant,
            "clinician": _clinician_record(self.clinician),
            "screening": None if self.screening is None else self.screening.record(),
            "flags": [str(flag) for flag in self.flags],
            **({} if self.segments is None else {"segments": [asdict(each) for each in self.segments]}),
        }

    def _channel_record(self, plan: ChannelPlan) -> dict[str, Any]:
        return {
            "channel": plan.channel,
            "pair": [
                {"point": end.point, "side": str(end.side), "region": str(end.region), "spot": end.spot}
                for end in plan.ends
            ],
            "amplitude_ua": plan.amplitude_ua,
            "reached_ua": self.reached(plan.channel).amplitude_ua,
            "needle": None if plan.needle is None else _needle_record(plan.needle),
            "density_uc_per_cm2": _rounded(self.density(plan.channel)),
            "shannon_k": _rounded(self.shannon_k(plan.channel)),
            "rms_ma_per_cm2": _rounded(self.rms_ma_per_cm2(plan.channel)),
        }


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 3)


def _needle_record(needle: Needle) -> dict[str, Any]:
    return {
        "diameter_um": needle.diameter_um,
        "inserted_um": needle.inserted_um,
        "coating": needle.coating.value,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Prescription(PaperPrescription):
    """What may be started. For a person it holds a screening, which `begin` uses up: one session, while it is fresh.

    A `rehearsal` is a living subject's session on a simulator, and on nothing else.
    """

    SCREENED: ClassVar[bool] = True

    rehearsal: bool = False

    def __post_init__(self) -> None:
        super(Prescription, self).__post_init__()  # by name: a class with slots is made anew
        if not isinstance(self.rehearsal, bool) or (self.rehearsal and self.subject not in LIVING):
            allowed = f"only a session of a {' or of an '.join(LIVING)} is rehearsed"
            raise Unsafe([Problem("rehearsal", self.rehearsal, allowed)])

    def begin(self, now_us: int) -> None:
        """Use up the screening of a person; call it once, when a session begins.

        Raises `Unsafe` when it is stale or used. Nothing to do for other subjects.
        """
        if self.screening is not None:
            self.screening.use(self.pseudonym, now_us)

    def still_screened(self, now_us: int) -> None:
        """Raise `Unsafe` when a person's screening has grown stale since; call it before the first arm.

        A session may wait long at its gate. Nothing to do for other subjects.
        """
        if self.screening is not None:
            self.screening.check_fresh(now_us)

    def record(self) -> dict[str, Any]:
        """The same, and that it is rehearsed where it is."""
        record = super(Prescription, self).record()
        return {**record, "rehearsal": True} if self.rehearsal else record


def _clinician_record(clinician: Clinician | None) -> dict[str, Any] | None:
    if clinician is None:
        return None
    return {"name": clinician.name, "completes": list(clinician.completes), "lowers": list(clinician.lowers)}


def _program_record(program: Program) -> dict[str, Any]:
    return {
        "segments": [
            {name: getattr(segment, name) for name in segment.__slots__} for segment in program.segments
        ],
        "channels": list(program.channels),
        "ramp_slope_ua_per_s": program.ramp_slope_ua_per_s,
        "ramp_down_us": program.ramp_down_us,
        "stimulation_us": program.stimulation_us,
    }  # fmt: skip
