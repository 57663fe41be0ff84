"""A plan of the bench: steps in a file, each driven, captured and judged, one report at the end.

example.toml   a plan that drives everything there is, as `stimctl bench plan new` writes it
steps.py       each kind of step, as a file may hold it
file.py        the file, read and checked
points.py      a plan's points: one session and one capture each
setup.py       what changes loads and opens ports: a person, a relay, or a simulated bench
silence.py     a port that can hold keepalives back
driving.py     one point driven, with the oscilloscope waiting for it
judging.py     what a capture of a point says, beside what the device said
results.py     the file of finished points, from which a plan goes on
runner.py      all points, one after the other
report.py      the report as plain data and as a page
"""
