"""Captures of an oscilloscope: read, measured, and how sure each figure is.

    header.py       the many forms of the lines above the numbers of a CSV
    timebase.py     when each sample was taken, and whether a time column is even
    text.py         CSV and its like, a block at a time
    archives.py     .npz (the simulator's records of a load too) and sigrok's .sr
    binary.py       the makers' own files, by RigolWFM
    opening.py      which of these a file is
    search.py       where pulses are in a long row of samples
    between.py      what flows between the pulses, by the rest of the whole capture
    cutter.py       pulses cut out of it, like ones together
    shape.py        what each of them is: onset, widths, gap, amplitudes, charges
    mains.py        the mains' hum between the pulses, to be taken off
    pulses.py       all pulses of a capture, in one reading
    train.py        bands, switches, missing and extra pulses, jitter, time between channels
    uncertainty.py  how far off a figure may be, by the rules of the GUM

A file says in volts what flowed through a resistor that it does not know: probe, unit and load are declared by a
person (`Declared`) and never taken from the file alone.
"""

from stimctl.capture.model import Block, Capture, Column, Declared
from stimctl.capture.opening import open_capture
from stimctl.capture.pulses import PulseMeasurements, measure

__all__ = ["Block", "Capture", "Column", "Declared", "PulseMeasurements", "measure", "open_capture"]
