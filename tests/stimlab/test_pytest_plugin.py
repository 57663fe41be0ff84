"""The pytest plugin as its users meet it: in a project of their own, in a process of its own."""

import select
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.stimctl.session.processes import simulator

pytest_plugins = ["pytester"]
EXAMPLE = Path(__file__).parents[2] / "examples" / "bench-tests"
STUCK = """
name = "stuck"
[[fault]]
kind = "device.stuck_on"
channel = 1
"""


def outcomes(pytester: pytest.Pytester, tests: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(tests)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", "-rs", *options)


def test_the_example_project_passes_on_the_simulator(pytester: pytest.Pytester) -> None:
    for file in EXAMPLE.iterdir():
        if file.is_file():
            shutil.copy(file, pytester.path)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=12, skipped=1)


def test_what_a_test_asks_for_in_vain_is_said(pytester: pytest.Pytester) -> None:
    result = outcomes(
        pytester,
        """
        import pytest
        from stimctl.errors import Misuse

        @pytest.mark.stim_needs("hardware", "watchdog")
        def test_skipped(stimulator):
            raise AssertionError

        @pytest.mark.stim_needs("telepathy")
        def test_no_such_ability(stimulator):
            pass

        def test_a_fault_that_comes_too_late(stimulator, simulator):
            stimulator.identity
            with pytest.raises(Misuse, match="on already"):
                simulator.fault("line.loss")

        def test_a_fault_that_there_is_not(simulator, line):
            with pytest.raises(Misuse, match=r"this test:\\n.*noise"):
                line.fault("noise")
            with pytest.raises(Misuse, match="host is the test itself"):
                simulator.fault("host.stall")
        """,
    )
    result.assert_outcomes(passed=2, skipped=1, errors=1)
    result.stdout.fnmatch_lines(["*sim:// (stimctl simulator) lacks hardware*"])
    result.stdout.fnmatch_lines(["*'telepathy' is not one of simulator, hardware, virtual_time, *watchdog*"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--stim-url", "sim://?sped=1"], "*--stim-url*no option 'sped'*"),
        (["--stim-device", "toaster"], "*'toaster' is not one of*"),
        (["--stim-isolator-offset", "3"], "*--stim-isolator: its offset*"),
    ],
)
def test_a_wrong_option_is_named(pytester: pytest.Pytester, options: list[str], words: str) -> None:
    result = outcomes(pytester, "def test_any(stimulator): assert stimulator.identity", *options)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([words])


def test_a_simulated_board_has_no_faults_to_put_in(pytester: pytest.Pytester) -> None:
    tests = """
        def test_faults(simulator): pass
        def test_session(stimulator): assert stimulator.run(seconds=2).armed
        """
    result = outcomes(pytester, tests, "--stim-url", "sim://?device=stimjim&dialect=b")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*--stim-url is a stimjim*"])


def test_an_isolator_is_declared_whole(pytester: pytest.Pytester) -> None:
    isolator = ["--stim-isolator=1", "--stim-isolator-offset=3", "--stim-isolator-bandwidth=40"]
    tests = "def test_declared(stim_choice): assert stim_choice.declared.offset_na == 3_000"
    outcomes(pytester, tests, "--stim-device=pulsepal", *isolator).assert_outcomes(passed=1)


@contextmanager
def booting(behind: str) -> Iterator[str]:
    """The URL of a line that swallows what is said in the first 1.6 s after each opening, as a board that boots."""
    host, port = behind.removeprefix("socket://").split(":")

    def serve() -> None:
        while True:
            try:
                near = server.accept()[0]
            except OSError:
                return
            time.sleep(1.6)
            near.recv(65_536)
            with near, socket.create_connection((host, int(port))) as far:
                while each := select.select([near, far], [], [])[0][0]:
                    data = each.recv(65_536)
                    if not data:
                        break
                    (far if each is near else near).sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield f"socket://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.realtime
def test_a_board_that_boots_when_its_port_is_opened_is_waited_for_by_the_last_stop_too(
    pytester: pytest.Pytester, tmp_path: Path
) -> None:
    with simulator(tmp_path / "device", "--tcp", "0") as device, booting(device.url) as url:
        outcomes(pytester, "def test_it(stimulator): stimulator.identity", f"--stim-url={url}").assert_outcomes(
            passed=1
        )


@pytest.mark.realtime
def test_the_same_tests_over_a_pty_and_an_output_that_stays_on_is_an_error(
    pytester: pytest.Pytester, tmp_path: Path
) -> None:
    scenario = tmp_path / "stuck.toml"
    scenario.write_text(STUCK)
    with simulator(tmp_path / "device", "--pty", "--scenario", str(scenario)) as device:
        tests = """
            def test_world(virtual_clock): pass
            def test_handshake(stimulator): assert stimulator.identity.simulator
            """
        result = outcomes(pytester, tests, f"--stim-url={device.url}")
    result.assert_outcomes(passed=1, skipped=1, errors=1)
    result.stdout.fnmatch_lines(["*PULL THE LEADS*"])
    result.stdout.fnmatch_lines(["*needs the simulator in this process*"])
