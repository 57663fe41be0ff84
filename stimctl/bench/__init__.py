"""The bench: whether a stimulator puts out what a profile asks for, judged from captures of its output over a resistor.

tolerances.toml  what is still good, and where each figure comes from
tolerances.py    that file, read and checked
dummy_load.py    a run on a dummy load, from amounts alone
readings.py      what a device tells of its channels in such a run
oscilloscope.py  captures from an oscilloscope over VISA
expected.py      what a profile asks a stimulator for
verdict.py       one figure beside its limits: holds, fails, undecided, not measurable
steady.py        which pulses are of the steady part, and which of a ramp
channel.py       all that is judged of one channel
acceptance.py    captures, channels and what lies between them: the whole judgement
sheet.py         the list of figures that the FDA asks for of related stimulators
document.py      the judgement as plain data, JSON and JUnit XML
figures.py       pictures of it
page.py          an HTML page
paper.py         the same on paper
point.py         one operating point, judged by itself
plan/            a file of steps: driven, captured, judged, gone on with after a break
calibrate.py     commanded against measured, as a line
watched.py       a session that runs, seen through its log
wiring.py        the wiring check, from one table
"""
