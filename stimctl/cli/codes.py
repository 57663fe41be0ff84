"""The exit codes of every command, in one list, which each command's help shows."""

DONE = 0
UNEXPECTED = 1
USAGE = 2
INVALID = 3
UNSAFE = 4
DEVICE = 5
LINE = 6
LOG = 7
ENDED_EARLY = 8
UNMET = 9
STOPPED = 10
NOT_EXAMINED = 11
SIGNAL_BASE = 128  # as shells count: a signal's number is added
INTERRUPTED = SIGNAL_BASE + 2
HUNG_UP = SIGNAL_BASE + 1
QUIT = SIGNAL_BASE + 3
UNREAD = SIGNAL_BASE + 13
TERMINATED = SIGNAL_BASE + 15
SUSPENDED = SIGNAL_BASE + 20

MEANINGS: dict[int, str] = {
    DONE: "done",
    UNEXPECTED: "a mistake in stimctl itself (a traceback is shown)",
    USAGE: "the command was not understood",
    INVALID: "a file, a name or an answer is wrong, or it makes no sense now",
    UNSAFE: "a limit, a pair or a screening answer forbids it",
    DEVICE: "the device refused, failed, or is not the one asked for",
    LINE: "the line: no such port, port busy, no answer, or lost",
    LOG: "the dose log cannot be written or does not verify",
    ENDED_EARLY: "a session was ended before its time by a safety rule (contact, hold, clocks, ...)",
    UNMET: "what was tried did not come out as it must (a scenario, a campaign, conformance, a figure at the bench)",
    STOPPED: "a session was stopped before its time by a person",
    NOT_EXAMINED: "nothing is wrong in what was examined, and not all could be (conformance, bench)",
    HUNG_UP: "stopped because the terminal was closed, or nobody reads a session's progress any more",
    INTERRUPTED: "stopped by Ctrl-C",
    QUIT: "a session was stopped by Ctrl-\\ where keys are not read one by one",
    UNREAD: "who read the output was gone before its end (| head -1)",
    TERMINATED: "stopped by SIGTERM",
    SUSPENDED: "a session was stopped by Ctrl-Z where keys are not read one by one",
}
ORDINARY = (DONE, USAGE, INVALID)
BROKEN_OFF = (HUNG_UP, INTERRUPTED, TERMINATED)  # what any command may end with


def help_text(codes: tuple[int, ...] = ORDINARY, *, broken_off: tuple[int, ...] = BROKEN_OFF) -> str:
    """Exit codes as a command's help shows them, kept line by line."""
    shown = (f"  {code:>3}  {MEANINGS[code]}" for code in sorted({*codes, *broken_off}))
    return "\b\nExit codes:\n" + "\n".join(shown)
