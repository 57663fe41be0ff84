"""Tests that hold for any stimulator: `pytest --stim-url=/dev/ttyUSB0` runs them on a device with a 1 kohm load."""

from pathlib import Path

import pytest

from stimctl.ledger import Ledger
from stimctl.session.states import End
from stimctl.stimulators.native import STOP_FRAME


def test_it_says_who_it_is(stimulator):
    assert stimulator.identity.model
    assert stimulator.identity.channels >= 1


def test_a_session_delivers_what_was_planned(stimulator):
    report = stimulator.run(seconds=3)
    assert report.end is End.TIMER
    assert report.delivered == report.planned


def test_the_operators_stop_ends_it(stimulator):
    report = stimulator.run(seconds=5, actions=[(2, "stop")])
    assert report.end is End.OPERATOR
    assert report.zero_confirmed_us < 100_000


def test_lowering_is_always_allowed(stimulator):
    lower = {"do": "set", "channel": 1, "amplitude_ma": 0.5}
    report = stimulator.run(seconds=4, ceiling_ma=1.0, actions=[(3, lower)])
    assert report.delivered != report.planned
    assert report.delivered == report.commanded


@pytest.mark.stim_needs("measures_current")
def test_what_it_measures_is_what_it_delivers(stimulator):
    report = stimulator.run(seconds=3)
    assert report.agreement["measured"] is True


def test_everything_is_in_the_log(stimulator):
    stimulator.run(seconds=2)
    with Ledger(stimulator.ledger) as ledger:
        assert ledger.verify().ok
        assert len(list(ledger.sessions())) == 1


def test_a_stop_before_anything_else_is_answered(stimulator):
    port = stimulator.open()
    port.write(STOP_FRAME)
    assert port.wait(port.now_us() + 100_000)
    port.close()


@pytest.mark.stim_needs("hardware")
def test_only_on_a_device(stimulator):
    assert Path(stimulator.url).exists()
