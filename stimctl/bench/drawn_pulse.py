"""A band's pulse as it should be: its corners, and the same in three rows of characters."""

from typing import NamedTuple

from stimctl.units import hz_text

Point = tuple[float, float]
_COLUMNS = 60


class DrawnPulse(NamedTuple):
    """Its name, and its corners in us and parts of the amplitude."""

    name: str
    corners: tuple[Point, ...]

    @property
    def text(self) -> str:
        """Its name, and it in three rows: up, zero, down."""
        last = self.corners[-1][0]
        at_us = [(column + 0.5) * last / _COLUMNS for column in range(_COLUMNS)]
        levels = [next((y for x, y in reversed(self.corners) if x <= at), 0.0) for at in at_us]
        rows = [[("#" if sign else "-") if (y > 0) - (y < 0) == sign else " " for y in levels] for sign in (1, 0, -1)]
        return "\n".join((self.name, *("  " + "".join(row).rstrip() for row in rows)))


def drawn_pulse(period_us: int, width_us: int, gap_us: int, second_us: int) -> DrawnPulse:
    """From its onset to a tenth of its length after its end; areas of both phases are equal."""
    low, back, end = -width_us / second_us, width_us + gap_us, width_us + gap_us + second_us
    tail = end + end // 10
    corners = ((0, 0), (0, 1), (width_us, 1), (width_us, 0), (back, 0), (back, low), (end, low), (end, 0), (tail, 0))
    gap = f", {gap_us} us at zero" if gap_us else ""
    name = f"{hz_text(period_us)}: {width_us} us up{gap}, {second_us} us down"
    return DrawnPulse(name, tuple((float(x), float(y)) for x, y in corners))
