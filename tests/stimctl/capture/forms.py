"""Files as the makers' oscilloscopes and programs export them: the lines above the numbers are theirs."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Form = Callable[[Floats, Sequence[Floats]], str]


def _rows(columns: Sequence[Sequence[str]], end: str = "\n", separator: str = ",", last: str = "") -> str:
    return "".join(separator.join(row) + last + end for row in zip(*columns, strict=True))


def _e(values: Floats, places: int = 6) -> list[str]:
    return [f"{value:.{places}e}" for value in values]


def rigol_increment(times: Floats, volts: Sequence[Floats]) -> str:
    names = "".join(f"CH{number + 1}," for number in range(len(volts)))
    units = "Volt," * len(volts)
    head = f"X,{names}Start,Increment,\nSequence,{units}{times[0]:e},{times[1] - times[0]:e}\n"
    return head + _rows([[str(n) for n in range(len(times))], *(_e(each, 4) for each in volts)], last=",")


def rigol_logic(times: Floats, volts: Sequence[Floats]) -> str:
    head = f"X,CH1,D7-D0,D15-D8,Start,Increment,\nSequence,Volt,,,{times[0]:e},{times[1] - times[0]:e}\n"
    pods = [["0x00"] * len(times)] * 2
    return head + _rows([[str(n) for n in range(len(times))], _e(volts[0], 4), *pods], last=",")


def rigol_second(times: Floats, volts: Sequence[Floats]) -> str:
    names = "".join(f"CH{number + 1}," for number in range(len(volts)))
    return f"X,{names}\nSecond,{'Volt,' * len(volts)}\n" + _rows([_e(times, 7), *(_e(v, 4) for v in volts)], last=",")


def rigol_1000e(times: Floats, volts: Sequence[Floats]) -> str:
    names = "".join(f"X(CH{number + 1})," for number in range(len(volts)))
    return f"Time,{names}\nSecond,{'Volt,' * len(volts)}\n" + _rows([_e(times, 7), *(_e(v) for v in volts)], last=",")


def rigol_dho(times: Floats, volts: Sequence[Floats]) -> str:
    names = ",".join(f"CH{number + 1}V" for number in range(len(volts)))
    return f"Time(s),{names}\n" + _rows([_e(times, 9), *(_e(each) for each in volts)])


def rigol_dho_memory(times: Floats, volts: Sequence[Floats]) -> str:
    names = "".join(f"CH{number + 1}V," for number in range(len(volts)))
    head = f"{names}t0 ={times[0]:e}, tInc = {times[1] - times[0]:e},\n"
    return head + _rows([_e(each) for each in volts], last=",")


def rigol_short(times: Floats, volts: Sequence[Floats]) -> str:
    names = ",".join(f"CH {number + 1} (V)" for number in range(len(volts)))
    return f"X,{names}\n" + _rows([_e(times, 8), *(_e(each) for each in volts)])


def rigol_points(times: Floats, volts: Sequence[Floats]) -> str:
    head = f'"Number of Data points =",{len(times)}\n"Sampling Period =",{times[1] - times[0]:e}\n"X","CH 1 (V)"\n'
    return head + _rows([_e(times, 8), _e(volts[0])])


def siglent(times: Floats, volts: Sequence[Floats]) -> str:
    return (
        f"Record Length,Analog:{len(times)}\nSample Rate,{1 / (times[1] - times[0]):.1f}\nVertical Scale,CH1: 0.20\n"
        "Vertical Offset,CH1:0.00000\nHorizontal Scale, 0.010000000\nSecond,Volt\n"
    ) + _rows([[f"{t:.11f}" for t in times], [f"{v:.5f}" for v in volts[0]]], end="\r\n")


def siglent_long(times: Floats, volts: Sequence[Floats]) -> str:
    names = ",".join(f"CH{number + 1}" for number in range(len(volts)))
    units = " ".join(f"CH{number + 1}:V" for number in range(len(volts)))
    return (
        f"Record Length,Analog:{len(times)},\nSample Interval,CH1:0.0000000000013 CH2:0.0000000000013\n"
        f"Vertical Units,{units},,\nHorizontal Units,s,,\nModel Number,SDS1104X-E,,\n\nSource,{names}\n"
        f"Second,{','.join(['Value'] * len(volts))}\n"
    ) + _rows([[f"{t:+.9E}" for t in times], *([f"{v:+.5E}" for v in each] for each in volts)])


def tektronix(times: Floats, volts: Sequence[Floats]) -> str:
    names = ",".join(f"CH{number + 1}" for number in range(len(volts)))
    return (
        f"Model,MSO46\nFirmware Version,1.38.8\n\nWaveform Type,ANALOG\nPoint Format,Y\nHorizontal Units,s\n"
        f"Horizontal Scale,0.004\nHorizontal Delay,0\nSample Interval,{times[1] - times[0]:e}\n"
        f"Record Length,{len(times):e}\nGating,0.0% to 100.0%\nProbe Attenuation,10\nVertical Units,V\n"
        f"Vertical Offset,0\nVertical Scale,0.2\nVertical Position,0\n,\n,\n,\nLabel,\nTIME,{names}\n"
    ) + _rows([_e(times, 9), *([f"{v:.6g}" for v in each] for each in volts)])


def tektronix_tds(times: Floats, volts: Sequence[Floats]) -> str:
    metadata = [
        ("Record Length", f"{len(times):e}"), ("Sample Interval", f"{times[1] - times[0]:e}"), ("Trigger Point", "0"),
        ("", ""), ("", ""), ("", ""), ("Source", "CH1"), ("Vertical Units", "V"), ("Vertical Scale", "2.0e-01"),
        ("Vertical Offset", "0.0e+00"), ("Horizontal Units", "s"), ("Horizontal Scale", "1.0e-02"), ("Pt Fmt", "Y"),
        ("Yzero", "0.0e+00"), ("Probe Atten", "1.0e+00"), ("Model Number", "TDS2014B"),
    ]  # fmt: skip
    metadata += [("", "")] * (len(times) - len(metadata))
    return "".join(
        f"{name},{value},,{t: 014.10f},{v: .5f},\n"
        for (name, value), t, v in zip(metadata, times, volts[0], strict=True)
    )


def keysight(times: Floats, volts: Sequence[Floats]) -> str:
    names = ",".join(str(number + 1) for number in range(len(volts)))
    head = f"x-axis,{names}\nsecond,{','.join(['Volt'] * len(volts))}\n"
    return head + _rows([[f"{t:+.9E}" for t in times], *([f"{v:+.5E}" for v in each] for each in volts)])


def picoscope(times: Floats, volts: Sequence[Floats]) -> str:
    names = ",".join(f"Channel {'ABCD'[number]}" for number in range(len(volts)))
    head = f"Time,{names}\n(ms),{','.join(['(V)'] * len(volts))}\n\n"
    return head + _rows([[f"{t * 1e3:.8f}" for t in times], *([f"{v:.8f}" for v in each] for each in volts)])


def picoscope_german(times: Floats, volts: Sequence[Floats]) -> str:
    names = ";".join(f"Kanal {'ABCD'[number]}" for number in range(len(volts)))
    head = f"Zeit;{names}\n(ms);{';'.join(['(V)'] * len(volts))}\n\n"
    rows = _rows([[f"{t * 1e3:.8f}" for t in times], *([f"{v:.8f}" for v in each] for each in volts)], separator=";")
    return head + rows.replace(".", ",")


def saleae(times: Floats, volts: Sequence[Floats]) -> str:
    names = ",".join(f"Channel {number}" for number in range(len(volts)))
    return f"Time [s],{names}\n" + _rows([[f"{t:.9f}" for t in times], *([f"{v:.6f}" for v in each] for each in volts)])


def infiniium(times: Floats, volts: Sequence[Floats]) -> str:
    return (
        f"Revision:,0\nType:,raw\nStart:,0\nPoints:,{len(times)}\nXInc:,{times[1] - times[0]:e}\nXOrg:,{times[0]:e}\n"
        "Frame:,Keysight MSOS104A\nXUnits:,Second\nYUnits:,Volt\nData:,\n"
    ) + _rows([_e(volts[0])])


def rohde_schwarz(times: Floats, volts: Sequence[Floats]) -> str:
    names = ",".join(f"C{number + 1} in V" for number in range(len(volts)))
    return f"in s,{names}\n" + _rows([_e(times, 9), *(_e(each) for each in volts)])


def lecroy(times: Floats, volts: Sequence[Floats]) -> str:
    return (
        f"LECROYHDO6104,Waveform\nSegments,1,SegmentSize,{len(times)}\nSegment,TrigTime,TimeSinceSegment1\n"
        "#1,14-Feb-2024 12:34:56,0\nTime,Ampl\n"
    ) + _rows([_e(times, 9), _e(volts[0])], end="\r\n")


def owon(times: Floats, volts: Sequence[Floats]) -> str:
    """Its rows are counted, and the count begins at 0: it says nothing of the trigger."""
    head = "Model:,HDS242\nChannel:,CH1\nProbe attenuation:,X1\nTime interval:,10.00000uS\n\n,CH1_Voltage(V)\n"
    return head + _rows([[str(n) for n in range(len(times))], _e(volts[0])])


def owon_vds(times: Floats, volts: Sequence[Floats]) -> str:
    """Settings below the channel's name, and the unit above it."""
    head = "Unit:(V)\n,CH1\nFrequency,100.0Hz\nPeriod,10ms\nSample interval,10us\n\n"
    return head + _rows([[str(n + 1) for n in range(len(times))], _e(volts[0])])


def hantek(times: Floats, volts: Sequence[Floats]) -> str:
    """One column, and settings in lines of their own."""
    return f"#CHANNEL:CH1\n#CLOCK=10.0uS\n#SIZE={len(times)}\n#UNITS:V\n\n" + _rows([[f"{v:.5f}" for v in volts[0]]])


def yokogawa(times: Floats, volts: Sequence[Floats]) -> str:
    """Each row begins with an empty field; the last line above the numbers is the time of day."""
    settings = {
        "TraceName": [f'"CH{number + 1}"' for number in range(len(volts))], "BlockSize": [str(len(times))],
        "VUnit": ['"V"'] * len(volts), "SampleRate": [f"{1 / (times[1] - times[0]):.6E}"],
        "HResolution": [f"{times[1] - times[0]:.6E}"], "HOffset": [f"{times[0]:.6E}"], "HUnit": ['"s"'],
        "Date": ['"2025/03/12"'], "Time": ['"10:11:12"'],
    }  # fmt: skip
    head = "".join(f'"{name}",{",".join(values)}\n' for name, values in settings.items())
    head = f'"//YOKOGAWA ASCII FILE FORMAT"\n""\n"Model","DLM3054"\n{head}\n'
    return head + _rows([[""] * len(times), *(_e(each) for each in volts)])


def picoscope_tabs(times: Floats, volts: Sequence[Floats]) -> str:
    return picoscope_german(times, volts).replace(";", "\t")


def tektronix_two(times: Floats, volts: Sequence[Floats]) -> str:
    """Each channel with a time column of its own, their headers side by side."""
    step = f"{times[1] - times[0]:e}"
    return (
        f"Model,MSO46,,\nFirmware Version,1.38.8,,\n\nWaveform Type,ANALOG,,ANALOG\nHorizontal Units,s,,s\n"
        f"Sample Interval,{step},,{step}\nRecord Length,{len(times)},,{len(times)}\nProbe Attenuation,1,,1\n"
        "Vertical Units,V,,V\n,,,\nLabel,,,\nTIME,CH1,TIME,CH2\n"
    ) + _rows([_e(times, 9), _e(volts[0]), _e(times, 9), _e(volts[1])])


FORMS: dict[str, tuple[str, Form]] = {
    "rigol_increment": ("Rigol", rigol_increment), "rigol_logic": ("Rigol", rigol_logic),
    "rigol_second": ("Rigol", rigol_second), "rigol_1000e": ("Rigol", rigol_1000e), "rigol_dho": ("Rigol", rigol_dho),
    "rigol_dho_memory": ("Rigol", rigol_dho_memory), "rigol_short": ("Rigol", rigol_short),
    "rigol_points": ("Rigol", rigol_points), "siglent": ("Siglent", siglent), "siglent_long": ("Siglent", siglent_long),
    "tektronix": ("Tektronix", tektronix), "tektronix_tds": ("Tektronix", tektronix_tds),
    "keysight": ("Keysight", keysight), "picoscope": ("PicoScope", picoscope),
    "picoscope_german": ("PicoScope", picoscope_german), "saleae": ("Saleae", saleae),
    "infiniium": ("Keysight", infiniium), "rohde_schwarz": ("Rohde & Schwarz", rohde_schwarz),
    "lecroy": ("LeCroy", lecroy), "owon": ("Owon", owon), "tektronix_two": ("Tektronix", tektronix_two),
    "owon_vds": ("unnamed", owon_vds), "hantek": ("unnamed", hantek), "yokogawa": ("Yokogawa", yokogawa),
    "picoscope_tabs": ("PicoScope", picoscope_tabs),
}  # fmt: skip
"""Each form by name: the maker that it has to be recognised as, and what writes it."""
SINGLE = (
    "rigol_logic",
    "rigol_points",
    "siglent",
    "tektronix_tds",
    "infiniium",
    "lecroy",
    "owon",
    "owon_vds",
    "hantek",
)  # their form here has one channel
NO_TRIGGER = ("owon", "owon_vds", "hantek")  # nothing says when the trigger was
