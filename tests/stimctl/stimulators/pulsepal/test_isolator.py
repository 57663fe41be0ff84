"""An isolator is believed as it was declared, and its own errors are told with the dose."""

import pytest

from firmware_sim.factory import DeviceSpec
from stimctl.errors import Misuse
from stimctl.stimulators.discovery import DeviceChoice
from stimctl.stimulators.pulsepal.isolator import Isolator, declared
from tests.stimctl.stimulators.bench import Bench


@pytest.mark.parametrize("transfer", ["0", "0.2", "-1", "10.001", "one", "nan", "1e9", "0.0015"])
def test_an_isolator_has_to_be_believable(transfer: str) -> None:
    with pytest.raises(Misuse, match="isolator"):
        declared(transfer)


@pytest.mark.parametrize(("offset", "bandwidth"), [("-1", None), ("1001", None), ("x", None), (None, "0")])
def test_so_have_its_errors(offset: str | None, bandwidth: str | None) -> None:
    with pytest.raises(Misuse, match=r"isolator (offset|bandwidth)"):
        DeviceChoice("pulsepal", None, "1", offset, bandwidth)
    with pytest.raises(Misuse, match="belong to one"):
        DeviceChoice("stimjim", None, None, "1", "10")


def test_how_far_a_charge_may_be_off() -> None:
    """5 uA for 200 us in each of 300 phases, and at 10 kHz 15.9 us' worth of each that may come late."""
    isolator = declared("1", "5", "10")
    assert isolator == Isolator(1_000, 5_000, 10_000)
    assert isolator.unsure_pc(300 * 200_000, 200, 300) == 300 * 1_000 + 4_774_649
    assert isolator.unsure_pc(0, 200, 0) == 0
    assert declared("1", "5").unsure_pc(1, 200, 1) is None


@pytest.mark.parametrize(
    ("errors", "said"),
    [((None, None), "were not declared"), (("5", "10"), "5 uA of direct current"), (("0.5", "10"), None)],
)
def test_it_is_shown_before_arming_and_enters_the_uncertainty(errors: tuple[str | None, ...], said: str | None) -> None:
    bench = Bench(DeviceSpec("pulsepal", firmware="22"), DeviceChoice("pulsepal", None, "1", *errors))
    report = bench.run()
    (opened,) = bench.log.of("opened")
    assert any("isolator" in lack for lack in opened["device"]["lacks"]) is (said is not None)
    assert said is None or any(said in lack for lack in opened["device"]["lacks"])
    assert report.kept is not None
    assert bool(report.kept["unsure_pc"]) is (errors[0] is not None)
    if errors[0] == "5":
        assert report.delivered is not None
        assert 0 < report.kept["unsure_pc"]["1"] < sum(report.delivered["1"]["charge_pc"]) // 5
