"""Sessions as they stand in a ledger, for the reports' tests: small, and each fact of them can be chosen."""

from typing import Any

from stimctl.ledger import Ledger, new_session_id

DOSE = {"1": {"pulses": [10, 1000], "charge_pc": [12_000_000, 400_000_000]}}
DOSE_PC = 412_000_000
MINUTE_US = 60_000_000


def opened(*, pseudonym: str = "P-17", simulator: bool = False, by_lease: bool = False, **more: Any) -> dict[str, Any]:
    """The first entry's body, of a session on a device with numbers of its own."""
    pair = [{"point": "BL-23", "side": "left", "spot": ""}, {"point": "BL-25", "side": "left", "spot": ""}]
    needle = {"diameter_um": 300, "inserted_um": 30_000, "coating": "none"}
    channel = {"channel": 1, "pair": pair, "amplitude_ua": 1500, "needle": needle, "density_uc_per_cm2": 4.244}
    device = {"model": "Stim", "serial": "S1", "firmware": "1.0.0", "boot_id": 3, "by_lease": by_lease}
    return {
        "subject": "person",
        "operator": "A. O.",
        "pseudonym": pseudonym,
        "profile": {"id": "low-back-pain", "version": "1.1.0", "sha256": "ab" * 32, "title": "Chronic low back pain"},
        "prescription": {
            "channels": [channel],
            "program": {"segments": [{"period_us": 500_000, "width_us": 600}, {"period_us": 10_000, "width_us": 200}]},
            "ceiling_ua": 2000,
            "mode": "2/100 Hz",
        },
        "device": {**device, "simulator": simulator},
        "simulator": simulator,
        "planned": {"1": {"pulses": [12, 1200], "charge_pc": [14_400_000, 480_000_000]}},
        "url": "/dev/ttyACM0",
        **more,
    }


def closed(**more: Any) -> dict[str, Any]:
    """The last entry's body, of a session that its device confirmed."""
    return {
        "end_reason": "timer",
        "end_text": "timer",
        "armed": True,
        "commanded": DOSE,
        "delivered": DOSE,
        "measured": {"1": {"charge_pc": [12_100_000, 401_000_000], "net_charge_pc": -70_000, "energy_nj": 34_000_000}},
        "spreads": {"1": {"applied_ua": {"first": 100, "min": 100, "median": 1500, "max": 1500}}},
        "band_us": [MINUTE_US, MINUTE_US],
        "held_us": 0,
        "zero_confirmed_us": 21_000,
        "zero_measured": True,
        "agreement": {"exact": True, "measured": True, "contradiction": None},
        **more,
    }


def sample(us: int, pulses: tuple[int, int]) -> dict[str, Any]:
    """A reading of channel 1."""
    charges = {"charge_0_pc": pulses[0] * 1_200_000, "charge_1_pc": pulses[1] * 400_000}
    reading = {"applied_ua": 1500, "target_ua": 1500, "measured_ua": 1490, "ohm": 760, **charges}
    return {"stimulation_us": us, "channels": {"1": {**reading, "pulses_0": pulses[0], "pulses_1": pulses[1]}}}


def put_session(
    ledger: Ledger,
    *,
    number: int = 1,
    nonce: int = 7,
    pain: tuple[float, float] | None = None,
    begin: dict[str, Any] | None = None,
    end: dict[str, Any] | None = None,
    cut: bool = False,
) -> str:
    """Append one session; returns its id. `number` and `nonce` are the device's; `cut`: its program died."""
    one = new_session_id()
    ledger.append(one, "opened", 0, begin or opened())
    if pain is not None:
        ledger.append(one, "outcome", 1, {"when": "before", "pain": pain[0]})
    ledger.append(one, "armed", 2, {"session": number, "nonce": nonce, "purpose": 0, "ceiling_ua": 2000})
    ledger.append(one, "started", 3, {"targets_ua": {"1": 1500}, "stimulation_us": 0})
    ledger.append(one, "sample", MINUTE_US, sample(MINUTE_US, (60, 3000)))
    ledger.append(one, "sample", 2 * MINUTE_US, sample(2 * MINUTE_US, (120, 6000)))
    if cut:
        ledger.mark_interrupted(one, "the program that ran it ended without closing it", {})
        return one
    if pain is not None:
        ledger.append(one, "outcome", 2 * MINUTE_US, {"when": "after", "pain": pain[1]})
    ledger.append(one, "closed", 2 * MINUTE_US, end or closed())
    return one
