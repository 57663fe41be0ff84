"""Time goes on: a driver whose deadline is one that nobody acts on turns at one instant for ever, and no test ends."""

from tests.agree.same import Disagreement

MOST_AT_ONCE = 1_000  # waits at one instant, whatever came in them: the longest conversation takes some dozens


class Progress:
    """Counts a port's waits at one instant."""

    def __init__(self) -> None:
        self._at_us = -1
        self._waits = 0

    def waited(self, deadline_us: int | None, now_us: int) -> None:
        """A wait until `deadline_us` ended at `now_us`. Raises `Disagreement` when there were too many then."""
        self._waits = self._waits + 1 if now_us == self._at_us else 1
        self._at_us = now_us
        if self._waits > MOST_AT_ONCE:
            raise Disagreement(
                f"{self._waits} waits ended at {now_us} us: what was due at {deadline_us} us is not done"
            )
