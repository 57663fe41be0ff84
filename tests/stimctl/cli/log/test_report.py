"""`stimctl log report`, through the command as a person calls it."""

import os
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from stimctl.cli import main
from stimctl.ledger import Ledger, ledger_path
from stimctl.profile.load import packaged_folder
from tests.stimctl.log_report.sessions import opened, put_session


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger with two sessions of one subject, the second of them cut short."""
    with Ledger(ledger_path(tmp_path / "data")) as ledger:
        put_session(ledger, begin=opened(simulator=True), pain=(7, 5))
        put_session(ledger, begin=opened(simulator=True), cut=True)
    return tmp_path / "data"


def call(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["log", "--data", str(folder), "report", *arguments])


def test_a_session_is_written_as_pdf_and_html_for_its_user_alone(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("typst", reason="typst is not installed: no PDF can be made")
    pdf, html = tmp_path / "a.pdf", tmp_path / "a.html"
    result = call(folder, "latest", "--pdf", str(pdf), "--html", str(html))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0].startswith("SIMULATED · Electroacupuncture session record")
    assert pdf.read_bytes().startswith(b"%PDF-")
    assert "Electroacupuncture session record" in html.read_text("utf-8")
    if os.name == "posix":
        assert [stat.S_IMODE(file.stat().st_mode) for file in (pdf, html)] == [0o600, 0o600]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.html", "a.pdf", "data"]


def test_a_course_in_chinese(folder: Path, tmp_path: Path) -> None:
    html = tmp_path / "a.html"
    result = call(folder, "--subject", "P-17", "--html", str(html), "--language", "zh", "--paper", "letter")
    assert result.exit_code == 0, result.output
    page = html.read_text("utf-8")
    assert "电针刺激记录（疗程）" in page
    assert "size: letter" in page
    assert "不确定" in page


def test_a_file_that_is_there_is_kept(folder: Path, tmp_path: Path) -> None:
    html = tmp_path / "a.html"
    html.write_text("mine")
    result = call(folder, "latest", "--html", str(html))
    assert (result.exit_code, html.read_text()) == (3, "mine")
    assert "--force" in result.stderr
    assert call(folder, "latest", "--html", str(html), "--force").exit_code == 0
    assert html.read_text("utf-8") != "mine"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--html", "x.html"), "name a session, or a --subject"),
        (("latest", "--subject", "P-17", "--html", "x.html"), "name a session, or a --subject"),
        (("latest",), "--pdf, --html, or both"),
        (("--subject", "P-99", "--html", "x.html"), "no session of 'P-99'"),
        (("latest", "--html", "none/x.html"), "cannot be written"),
    ],
)
def test_a_mistake_is_a_sentence(folder: Path, arguments: tuple[str, ...], said: str) -> None:
    result = call(folder, *arguments)
    assert result.exit_code == 3
    assert said in result.stderr


@pytest.mark.parametrize("package", ["typst", "matplotlib"])
def test_a_package_that_is_missing_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    result = call(folder, "latest", "--pdf", str(tmp_path / "a.pdf"))
    assert result.exit_code == 3
    assert package in result.stderr
    assert "stimctl[pdf]" in result.stderr


@pytest.mark.parametrize("whose", [("latest",), ("--subject", "P-17")])
def test_what_does_not_verify_says_so_in_large_words(folder: Path, tmp_path: Path, whose: tuple[str, ...]) -> None:
    connection = sqlite3.connect(ledger_path(folder))
    (sql,) = connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'entries_never_change'").fetchone()
    connection.execute("DROP TRIGGER entries_never_change")
    connection.execute("UPDATE entries SET body = replace(body, '1490', '1491') WHERE kind = 'sample'")
    connection.execute(sql)
    connection.commit()
    connection.close()
    html = tmp_path / "a.html"
    result = call(folder, *whose, "--html", str(html))
    assert result.exit_code == 7
    assert "does not verify: entry" in result.stderr
    page = html.read_text("utf-8")
    assert "THIS RECORD DOES NOT VERIFY. Nothing in it can be relied on." in page
    assert '<div class="mark" aria-hidden="true"><div>DOES NOT VERIFY</div>' in page
    assert "UNCERTAIN" in page


def test_what_a_stimjim_does_not_measure_has_no_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STIMCTL_DATA", str(tmp_path / "data"))
    example = str(packaged_folder() / "examples" / "bench-2-100hz.toml")
    port = ("--port", "sim://?device=stimjim&dialect=a", "--prescription", example, "--unattended")
    assert CliRunner().invoke(main, ["run", "bench-2-100hz", *port]).exit_code == 0
    html = tmp_path / "a.html"
    assert call(tmp_path / "data", "latest", "--html", str(html)).exit_code == 0
    page = html.read_text("utf-8")
    measured = page[page.index("<h2>Measured by the device") : page.index("<h2>Course of the session")]
    assert measured.count("not measured") == 4, "current, impedance, pulses at the rail and energy"
    assert "mJ" not in measured
    assert "The log holds no readings of: impedance." in page
    assert "none: the device keeps no numbers" in page
