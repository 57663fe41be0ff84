"""A moment of the ledger as people read it."""

from datetime import UTC, datetime

from stimctl.label import printable


def local_and_utc(utc: str | None) -> str:
    """As the clock on the wall says it, with UTC beside it; "-" for none."""
    try:
        moment = datetime.fromisoformat(utc or "")
        return f"{moment.astimezone():%Y-%m-%d %H:%M:%S} ({moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC)"
    except ValueError:
        return printable(utc or "-")
