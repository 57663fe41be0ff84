"""Makes the text of a new profile: every field with a note on what it wants, to be filled in.

What has to be filled in stands as "?", which no field accepts: a template that is used too early says, line
by line, what is missing. The waveform values are the project's own defaults and may stay.
"""

_HEAD = """\
# A new profile. Replace every "?", quotation marks included where a number is asked for.
# What nobody has said is written without a value, with from = "unspecified" and a note that says so:
# never invent a value to fill a gap. Then: stimctl profile check FILE

format = 1
id = "?"              # small letters, digits and hyphens, and not the id of another profile
version = "1.0.0"     # raise it with every change: each session's log names it
title = "?"
kind = "?"            # "clinical", or "bench" for dummy loads and simulators only

[source]              # the document that values marked "source" are taken from
title = "?"
section = "?"
sha256 = "?"          # of the document's text; sha256sum FILE prints it

[[points]]            # one such table for each point
code = "?"            # as in "BL-23"
role = "?"            # "primary", "tender point", ...
use = "?"             # what it is there for, in words of the quote
from = "source"
quote = "?"           # the source's own words

[schedule.sessions_per_week]
value = { low = "?", high = "?" }
from = "source"
quote = "?"

[schedule.course_weeks]
value = { low = "?", high = "?" }
from = "source"
quote = "?"

[schedule.course_sessions]
value = { low = "?", high = "?" }
from = "source"
quote = "?"

[schedule.spacing_days]
from = "unspecified"
note = "?"

[response.expected_by_session]
from = "unspecified"
note = "?"

[response.reassess_by_session]
from = "unspecified"
note = "?"

[response.lasts_months]
from = "unspecified"
note = "?"

[stimulation.pairs]
value = [["?", "?"]]  # two points on one limb, or on one side of the trunk below the chest
from = "source"
quote = "?"

[stimulation.amplitude_ma]
value = { low = "?", high = "?" }  # within 0.5 to 2.0; peak of the first phase
from = "source"
quote = "?"

[stimulation.minutes]
value = { low = "?", high = "?" }  # at most 30
from = "source"
quote = "?"
"""

_DEFAULTS = (
    ("amplitude_means", '"peak of the first phase"', "what an amplitude in mA means here"),
    ("shape", '"charge-balanced biphasic rectangular, first phase positive"', "the only shape there is"),
    ("width_2hz_ms", "0.6", "first phase, 0.1 to 0.6 ms"),
    ("width_100hz_ms", "0.2", "first phase, 0.1 to 0.6 ms"),
    ("second_phase_ratio_2hz", "1", "times as wide and as low as the first; 1 is symmetric"),
    ("second_phase_ratio_100hz", "1", "times as wide and as low as the first; 1 is symmetric"),
    ("interphase_gap_us", "0", "0 to 100 us"),
    ("dwell_2hz_s", "3", "length of the 2 Hz band in 2/100 Hz"),
    ("dwell_100hz_s", "3", "length of the 100 Hz band in 2/100 Hz"),
    ("first_band", '"2 Hz"', "which band of 2/100 Hz comes first"),
    ("ramp_ma_per_s", "0.2", "0.1 to 0.38 mA a second"),
    ("ramp_down_s", "5", "the fall at the timer's end"),
)

_TAIL = """
[stimulation.polarity]
from = "unspecified"
note = "which needle carries the first phase is not said"

[stimulation.needle]
from = "unspecified"
note = "each prescription declares its needles"

[[variants]]          # one such table for each way to stimulate
id = "?"
title = "?"

[variants.mode]
value = "?"           # "2 Hz", "100 Hz" or "2/100 Hz"
from = "source"
quote = "?"
"""


def new_template() -> str:
    """The text of a profile to fill in. Filled, it validates; unfilled, its errors say what is wanted where."""
    defaults = [
        f'\n[stimulation.{name}]\nvalue = {value}\nfrom = "project default"\nnote = "{note}"\n'
        for name, value, note in _DEFAULTS
    ]
    return _HEAD + "".join(defaults) + _TAIL
