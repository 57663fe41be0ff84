"""The states of a delivery, and that one device session is one delivery."""

from typing import Any

import pytest

from stimctl.entries import DoseRecovered
from stimctl.ledger import Ledger
from stimctl.ledger.delivery import DeliveryState, charge_pc
from stimctl.log_report.case import case_of, cases_of
from stimctl.log_report.delivery import each_once
from tests.stimctl.log_report.sessions import DOSE, DOSE_PC, closed, opened, put_session

KEPT = {"evidence": "estimated", "source": "time", "channels": {"1": {"estimated": [3, 0]}}}


@pytest.mark.parametrize(
    ("end", "state", "reason"),
    [
        ({}, "confirmed", "confirmed"),
        ({"kept": {"evidence": "counted", "channels": {"1": {"counted": [10, 1000]}}}}, "confirmed", "counted"),
        ({"kept": KEPT}, "commanded", "commanded"),
        ({"kept": {**KEPT, "evidence": "at most"}}, "commanded", "commanded"),
        ({"delivered": None}, "uncertain", "unasked"),
        ({"delivered": {"1": {"pulses": [10, None], "charge_pc": [12_000_000, None]}}}, "uncertain", "unasked"),
        ({"agreement": {"exact": False}}, "uncertain", "disagree"),
        ({"agreement": {"exact": True, "contradiction": "a clock went back"}}, "uncertain", "disagree"),
        ({"agreement": {"exact": None, "reason": "an answer was lost"}}, "uncertain", "unsure"),
        ({"agreement": {"exact": None, "reason": "by time"}, "kept": KEPT}, "commanded", "commanded"),
        ({"armed": False, "delivered": None}, "none", "none"),
    ],
)
def test_state_of_a_session_that_was_closed(ledger: Ledger, end: dict[str, Any], state: str, reason: str) -> None:
    found = case_of(ledger, put_session(ledger, end=closed(**end))).delivery
    assert (found.state, found.reason) == (state, reason)


def test_a_session_that_was_cut_short_is_uncertain(ledger: Ledger) -> None:
    case = case_of(ledger, put_session(ledger, cut=True))
    assert (case.delivery.state, charge_pc(case.summary)) == ("uncertain", None)


def test_a_dose_that_was_fetched_later_confirms_it(ledger: Ledger) -> None:
    one = put_session(ledger, cut=True, number=9)
    counts = {"channel": 1, "pulses_0": 10, "pulses_1": 1000, "charge_0_pc": 12_000_000, "charge_1_pc": 400_000_000}
    record = {"session": 9, "boot_id": 3, "nonce": 7}
    fetched = DoseRecovered(device=opened()["device"], simulator=False, record=record, counters=[counts], measured=[])
    ledger.append(one, fetched.kind, 0, fetched.body())
    case = case_of(ledger, one)
    assert (case.delivery.state, case.delivery.numbers) == (DeliveryState.CONFIRMED, (9,))
    assert charge_pc(case.summary) == DOSE_PC


def test_the_same_number_of_the_same_device_is_one_delivery(ledger: Ledger) -> None:
    cut, whole, other = put_session(ledger, number=4, cut=True), put_session(ledger, number=4), put_session(ledger)
    found = each_once(case.delivery for case in cases_of(ledger, "P-17"))
    assert [(one.session_id, one.same_as) for one in found] == [(cut, whole), (whole, None), (other, None)]


@pytest.mark.parametrize("device", [{"serial": "S2"}, {"boot_id": 4}, {"by_lease": True}, {"serial": "none"}])
def test_another_device_another_boot_or_no_number_is_another_delivery(ledger: Ledger, device: dict[str, Any]) -> None:
    begin = opened()
    begin["device"] |= device
    put_session(ledger, begin=begin, number=4)
    put_session(ledger, begin=opened() if "by_lease" not in device else begin, number=4)
    assert [one.same_as for one in each_once(case.delivery for case in cases_of(ledger, "P-17"))] == [None, None]


@pytest.mark.parametrize(("url", "same"), [("sim://?flash=/tmp/f", True), ("sim://", False), ("/dev/pts/3", True)])
def test_a_simulator_without_a_file_begins_its_numbers_anew(ledger: Ledger, url: str, same: bool) -> None:
    for _ in range(2):
        put_session(ledger, begin=opened(simulator=True, url=url))
    second = each_once(case.delivery for case in cases_of(ledger, "P-17"))[1]
    assert (second.same_as is not None) is same


def test_another_life_of_a_simulator_is_told_by_its_nonces(ledger: Ledger) -> None:
    """Behind a pty nobody sees whether it keeps its numbers in a file."""
    for nonce in (7, 8):
        one = put_session(ledger, begin=opened(simulator=True, url="/dev/pts/3"), cut=True, number=4, nonce=nonce)
    record = {"session": 4, "boot_id": 3, "nonce": 7}
    ledger.append("s-9", "recovered", 0, {"device": opened(simulator=True)["device"], "record": record})
    first, second = each_once(case.delivery for case in cases_of(ledger, "P-17"))
    assert (second.session_id, first.same_as, second.same_as) == (one, None, None)
    assert case_of(ledger, "s-9").delivery.keys == first.keys


def test_charge_is_known_only_where_every_channel_is(ledger: Ledger) -> None:
    begin = opened()
    begin["prescription"]["channels"].append({"channel": 2})
    case = case_of(ledger, put_session(ledger, begin=begin, end=closed(delivered=DOSE)))
    assert (charge_pc(case.summary), case.delivery.state) == (None, "uncertain")
