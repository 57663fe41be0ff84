"""What is compared after each step: state, output and dose, as model, device and load have them."""

from collections.abc import Mapping
from typing import Any

from firmware_sim.analog.recorder import FlowKind, Recorder
from firmware_sim.native.flash import Totals
from firmware_sim.native.machine import Machine
from stimctl.dose import ChannelDose
from stimctl.wire.codes import CHANNELS, DeviceState, EndReason
from tests.agree.model import OUTPUT, Session

NUMBERS = range(1, CHANNELS + 1)
DAC_STEP_NA = 1_250  # the converter's step; a current lies within half of one of what was asked
# What the device says that it is, once the session that the model ended is acknowledged, or after a reset.
AFTER_THE_END = "IDLE"


class Disagreement(AssertionError):
    """They do not agree."""


def same(what: str, **said: Any) -> None:
    """Each of `said` must say the same of `what`."""
    values = list(said.values())
    if any(value != values[0] for value in values):
        raise Disagreement(f"{what}: " + ", ".join(f"the {who} says {value}" for who, value in said.items()))


def output_ua(model: Session, channel: int) -> int:
    """What leaves just now: the last scheduled pulse's amplitude (R-25: nothing outside a run)."""
    each = model.channels[channel]
    return each.amplitude if model.state in OUTPUT and each in model.armed else 0


def reading(model: Session, channel: int) -> tuple[int, ...]:
    """A channel as the device has to tell it: target, amplitude, pulses and charge by segment."""
    each = model.channels[channel]
    target_ua = each.target if model.state in OUTPUT and each in model.armed else 0
    return target_ua, output_ua(model, channel), *each.pulses, *each.charge_pc


def dose(model: Session, channel: int) -> ChannelDose:
    """The model's dose in the driver's shape."""
    each = model.channels[channel]
    return ChannelDose((each.pulses[0], each.pulses[1]), (each.charge_pc[0], each.charge_pc[1]))


def same_device(model: Session, machine: Machine) -> None:
    """The model's device and the simulated one: state, why, time, nonce, output and counters."""
    machine.collect(machine.now_us)
    record = machine.flash.session
    over = model.state == "ENDED" and machine.state is DeviceState.IDLE
    same("the state", model=AFTER_THE_END if over else model.state, device=machine.state.name)
    if record is None:
        return
    if model.state == "ENDED":
        same("the end reason", model=model.reason, device=EndReason(record.end_reason).name)
    same("stimulation time", model=model.stimulation, device=record.stimulation_us)
    same("the nonce", model=model.nonce, device=record.nonce)
    for channel in NUMBERS:
        counted = Totals() if not record.totals else record.totals[channel - 1]
        totals = (*model.channels[channel].pulses, *model.channels[channel].charge_pc)
        same(f"channel {channel}'s dose", model=totals, device=tuple(counted[:4]))
        if not over and model.state in OUTPUT:
            row = machine.stage.readout(channel)
            same(f"channel {channel}'s output", model=output_ua(model, channel), device=row.applied_ua)


def same_load(model: Session, recorder: Recorder, *, sound: bool = True) -> None:
    """What flowed in the load. Without `sound` parts its currents say nothing, and only pulses are counted."""
    for channel in NUMBERS:
        each = model.channels[channel]
        flows = recorder.flows(channel, FlowKind.TRAIN)
        pulses, charge_pc = sum(each.pulses), sum(each.charge_pc)
        same(f"channel {channel}'s pulses", model=pulses, load=sum(flow.count for flow in flows))
        if not (sound and flows):
            continue
        last, widest_us = flows[-1], max(flow.shape.width_us for flow in flows)
        if output_ua(model, channel) and abs(last.shape.first_na - 1_000 * each.amplitude) > DAC_STEP_NA:
            same(f"channel {channel}'s last pulse, nA", model=1_000 * each.amplitude, load=last.shape.first_na)
        error_pc = abs(recorder.charge_pc(channel) - charge_pc)
        if error_pc > 1 + pulses * widest_us * DAC_STEP_NA // 2 // 1_000:
            same(f"channel {channel}'s charge, pC", model=charge_pc, load=recorder.charge_pc(channel))


def same_telemetry(told: Mapping[int, tuple[Any, ...]], at_us: int, said: tuple[Any, ...]) -> None:
    """A status as the driver has it, against the model as it was at the status's own time."""
    if at_us in told:
        same(f"the status of {at_us} us", model=told[at_us], driver=said)
