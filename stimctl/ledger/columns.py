"""The columns of exported tables, once for every format: name, with the unit at its end, and the type of its cells.

An empty cell is what nobody knows, in every format; it is never 0.
"""

from stimctl.errors import Misuse

Columns = dict[str, type]

_BANDED: Columns = {
    "band": str,
    "band_us": int,
    "planned_pulses": int,
    "planned_charge_pc": int,
    "commanded_pulses": int,
    "commanded_charge_pc": int,
    "delivered_pulses": int,
    "delivered_charge_pc": int,
    "estimated_pulses": int,
    "estimated_pulses_at_least": int,
    "measured_pulses": int,
    "measured_charge_pc": int,
}
_SPREAD = ("min", "median", "max")
BANDS = (0, 1)

CHANNEL_COLUMNS: Columns = {
    "watermark": str,
    "verifies": bool,
    **dict.fromkeys(("session_id", "state", "started_utc", "ended_utc", "end_reason", "subject", "pseudonym"), str),
    **dict.fromkeys(("operator", "profile_id", "profile_version", "profile_sha256", "device_model"), str),
    **dict.fromkeys(("device_serial", "device_firmware", "device_calibrated_on", "clock"), str),
    "duration_us": int,
    **dict.fromkeys(("last_seen_utc", "closed_utc", "closed_by", "fetched_utc", "software", "lacks"), str),
    "channel": int,
    "pair": str,
    "needle": str,
    "amplitude_ua": int,
    "density_uc_per_cm2": float,
    "shannon_k": float,
    **{f"{name}_{band + 1}": of for band in BANDS for name, of in _BANDED.items()},
    "delivered_standing": str,
    "delivery": str,
    "measured_standing": str,
    "measured_net_charge_pc": int,
    "measured_max_amplitude_ua": int,
    "measured_compliance_hits": int,
    "measured_energy_nj": int,
    **{f"{name}_{figure}": float for name in ("applied_ua", "measured_ua") for figure in _SPREAD},
    **{f"ohm_{figure}": float for figure in ("first", *_SPREAD)},
    "held_us": int,
    "zero_confirmed_us": int,
    "zero_measured": bool,
    "counted_as_commanded": bool,
    "agreement_reason": str,
    "measured_agrees": bool,
    "contradiction": str,
    "entries": int,
    "last_hash": str,
    "does_not_verify": str,
    "lost_earlier": str,
}
ENTRY_COLUMNS: Columns = {
    "watermark": str,
    "number": int,
    "session_id": str,
    "kind": str,
    "at_us": int,
    "utc": str,
    "body": str,
    "previous": str,
    "hash": str,
    "fault": str,
    "verifies": bool,
}


_MOST = 2**63 - 1  # what a typed column holds; an odd ledger may have a larger number


def fitted(columns: Columns, row: dict[str, object]) -> dict[str, object]:
    """A row whose cells are of their columns' types or None. Raises `Misuse` for a cell of another type."""
    return {name: _cell(row, name, of) for name, of in columns.items()}


def _cell(row: dict[str, object], name: str, of: type) -> object:
    value = row[name]
    if value is None:
        return value
    if type(value) is not int:
        fits = type(value) is of
    elif fits := of in (int, float) and abs(value) <= _MOST:
        value = of(value)
    if fits:
        return value
    raise Misuse(
        f"session {row['session_id']}: {name} is {value!r:.80}, and that column holds {of.__name__} only; "
        "--format csv or json shows it as it is"
    )
