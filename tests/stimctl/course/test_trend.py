"""The trends: what is not known is no point, and what was counted is not joined with what was estimated."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stimctl.course.courses import Course
from stimctl.course.drawing import picture, text
from stimctl.course.trend import Trends, trends
from stimctl.course.visits import visits
from stimctl.errors import Misuse
from stimctl.ledger import Ledger


@pytest.fixture
def drawn(ledger: Ledger, begun: Callable[..., Course], session: Callable[..., str]) -> Trends:
    course = begun()
    session(course.course_id, "2026-03-02", (7, 5))
    session(course.course_id, "2026-03-05", closed={"delivered": None, "spreads": None})
    kept = {"evidence": "estimated", "source": "s", "channels": {}}
    session(course.course_id, "2026-03-09", (6, None), closed={"kept": kept})
    return trends(course, visits(ledger, course))


def test_a_figure_that_is_not_known_is_none(drawn: Trends) -> None:
    pain, reached, ohm, charge = drawn.panels
    assert [curve.figures for curve in pain.curves] == [(7, None, 6), (5, None, None)]
    assert [curve.figures for curve in reached.curves] == [(1.5, None, 1.5)]
    assert [curve.figures for curve in ohm.curves] == [(0.8125, None, 0.8125)]
    assert {curve.name: curve.figures for curve in charge.curves} == {
        "counted": (19, None, None),
        "estimated": (None, None, 19),
    }
    assert drawn.labels == ("1\n02 Mar", "2\n05 Mar", "3\n09 Mar")


def test_each_scale_begins_at_zero(drawn: Trends) -> None:
    assert drawn.panels[0].top == 10
    assert all(panel.top > max(filter(None, curve.figures)) for panel in drawn.panels for curve in panel.curves)


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_the_same_course_gives_the_same_picture(drawn: Trends, tmp_path: Path, ending: str) -> None:
    pytest.importorskip("matplotlib")
    one, two = (picture(drawn, f".{ending}") for _ in range(2))
    assert one == two
    with pytest.raises(Misuse, match=r"\.png or \.svg"):
        picture(drawn, ".pdf")


def test_the_terminal_has_the_figures_too(drawn: Trends) -> None:
    pytest.importorskip("plotext")
    shown = text(drawn, width=80)
    assert "before: 7, -, 6" in shown
    assert "counted: 19, -, -" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert text(drawn._replace(simulated=True), width=80).startswith("SIMULATED: P-17")


def test_a_course_without_sessions_has_nothing_to_draw(begun: Callable[..., Course]) -> None:
    with pytest.raises(Misuse, match="no session yet"):
        trends(begun(), [])


def test_dollars_in_a_name_are_no_formula(drawn: Trends, tmp_path: Path) -> None:
    picture(drawn._replace(title=r"P-$\foo$"), ".svg")


def test_what_does_not_verify_says_so_on_the_picture(drawn: Trends, tmp_path: Path) -> None:
    assert not drawn.doubtful
    assert text(drawn._replace(doubtful=True)).startswith("DOES NOT VERIFY: P-17")
    assert "<!-- DOES NOT VERIFY -->" in picture(drawn._replace(doubtful=True), ".svg").decode()
    assert "DOES NOT VERIFY" not in picture(drawn, ".svg").decode()
