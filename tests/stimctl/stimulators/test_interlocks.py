"""What a living subject needs of a device's watchdog, and what the others do not."""

import re
from dataclasses import replace

import pytest

from stimctl.errors import Unsafe, WrongDevice
from stimctl.prescription import Subject
from stimctl.stimulators.base import Identity
from stimctl.stimulators.capabilities import MISSING
from stimctl.stimulators.interlocks import check_device
from stimctl.wire.codes import Capability
from tests.stimctl.session.test_plausibility import IDENTITY
from tests.stimctl.session.world import forged, prescription

HARDWARE = replace(IDENTITY, simulator=False)
WITHOUT = HARDWARE.capabilities & ~Capability.WATCHDOG


def refusal(subject: Subject, identity: Identity) -> str:
    """Why this device may not be used for this subject; empty when it may."""
    rx = forged(prescription(), subject=subject)
    try:
        check_device(rx, replace(identity, simulator=subject is Subject.SIMULATOR))
    except WrongDevice as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("subject", [Subject.PERSON, Subject.ANIMAL])
@pytest.mark.parametrize(("watchdog_ms", "good"), [(0, False), (1, True), (1_000, True), (1_001, False)])
def test_the_living_need_a_watchdog_of_one_second(subject: Subject, watchdog_ms: int, good: bool) -> None:
    told = refusal(subject, replace(HARDWARE, watchdog_ms=watchdog_ms))
    assert (told == "") is good
    assert good or "no watchdog of 1 s or less" in told


@pytest.mark.parametrize("subject", [Subject.DUMMY_LOAD, Subject.SIMULATOR])
def test_the_others_need_none(subject: Subject) -> None:
    for identity in (replace(HARDWARE, watchdog_ms=0), replace(HARDWARE, capabilities=WITHOUT, watchdog_ms=0)):
        assert refusal(subject, identity) == ""


def test_an_animal_may_be_on_a_device_without_a_watchdog_by_leases_only() -> None:
    assert "has no watchdog" in refusal(Subject.ANIMAL, replace(HARDWARE, capabilities=WITHOUT, watchdog_ms=0))
    by_lease = replace(HARDWARE, capabilities=WITHOUT, watchdog_ms=0, by_lease=True)
    assert refusal(Subject.ANIMAL, by_lease) == ""
    assert "on a person" in refusal(Subject.PERSON, by_lease)


def test_a_person_is_told_each_thing_that_is_missing() -> None:
    lacking = Capability.WATCHDOG | Capability.HOLDS_LIMITS
    told = refusal(Subject.PERSON, replace(HARDWARE, capabilities=HARDWARE.capabilities & ~lacking))
    said = [MISSING[Capability.WATCHDOG], MISSING[Capability.HOLDS_LIMITS]]
    assert all(re.search(re.escape(words), told) for words in said)
    assert told.count("; ") == 1


@pytest.mark.parametrize("subject", [Subject.PERSON, Subject.ANIMAL])
def test_a_rehearsal_is_on_a_simulator_and_on_nothing_else(subject: Subject) -> None:
    rehearsal = forged(prescription(), subject=subject, rehearsal=True)
    check_device(rehearsal, IDENTITY)
    with pytest.raises(WrongDevice, match=r"session is a rehearsal, but .* says that it is HARDWARE"):
        check_device(rehearsal, HARDWARE)
    with pytest.raises(WrongDevice, match="no watchdog"):
        check_device(rehearsal, replace(IDENTITY, watchdog_ms=0))


def test_only_a_living_subjects_session_is_rehearsed() -> None:
    with pytest.raises(Unsafe, match="only a session of a person or of an animal is rehearsed"):
        replace(prescription(), rehearsal=True)
