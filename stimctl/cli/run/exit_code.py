"""The exit code of `stimctl run`: what ended the session, and whether zero, dose and log are as they should be."""

from stimctl.cli import codes
from stimctl.session.states import End
from stimctl.session.view import Priority, SessionReport

OF_END: dict[End, int] = {
    End.TIMER: codes.DONE,
    End.OPERATOR: codes.STOPPED,
    End.ELSEWHERE: codes.STOPPED,
    End.SIGNAL: codes.INTERRUPTED,
    End.FRONT_END: codes.ENDED_EARLY,
    End.WATCHDOG: codes.ENDED_EARLY,
    End.HOLD_EXPIRED: codes.ENDED_EARLY,
    End.SESSION_EXPIRED: codes.ENDED_EARLY,
    End.CONTACT: codes.ENDED_EARLY,
    End.SHORT: codes.ENDED_EARLY,
    End.CLOCK: codes.ENDED_EARLY,
    End.INTERRUPTED: codes.ENDED_EARLY,
    End.OVER_CURRENT: codes.DEVICE,
    End.NET_CHARGE: codes.DEVICE,
    End.GATE: codes.DEVICE,
    End.RESET: codes.DEVICE,
    End.REFUSED: codes.DEVICE,
    End.ECHO: codes.DEVICE,
    End.IMPLAUSIBLE: codes.DEVICE,
    End.SELF_TEST: codes.DEVICE,
    End.WRONG_DEVICE: codes.DEVICE,
    End.LINE_LOST: codes.LINE,
    End.SUSPENDED: codes.ENDED_EARLY,
    End.STOOD_STILL: codes.ENDED_EARLY,
    End.SCREENING: codes.UNSAFE,
    End.NO_ANSWER: codes.LINE,
    End.HANDSHAKE: codes.LINE,
    End.LOG: codes.LOG,
}


def exit_code(report: SessionReport, signal_number: int | None, *, logged: bool = True, recorded: bool = True) -> int:
    """The code for this end; a zero that was not confirmed, a count that is wrong, or a HIGH alarm is never a success.

    Nor is a session that is not `logged` to its end, or not `recorded` where that was asked for.
    """
    if not logged:
        return codes.LOG
    code = OF_END[report.end]
    if report.end is End.SIGNAL:
        code = codes.SIGNAL_BASE + signal_number if signal_number else codes.HUNG_UP
    broken = report.zero_confirmed_us is None or report.agreement.get("exact") is False
    if code not in (codes.DONE, codes.STOPPED):
        return code
    alarmed = any(alarm.priority is Priority.HIGH for alarm in report.alarms)
    if broken or (alarmed and code == codes.DONE):
        return codes.DEVICE
    return code if recorded else codes.INVALID
