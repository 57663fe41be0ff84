"""The pages that are measured: each table where it has a place, and what others wrote stays as it was."""

from benchmarks.results import BELOW, page
from tests.firmware import page as firmware_page

PLACE = "before\n<!-- table: speed -->\nold\n<!-- end -->\nbehind\n"


def test_a_table_is_made_anew_in_its_place() -> None:
    made = firmware_page.written(PLACE, {"speed": ["new", "rows"], "gate": ["elsewhere"]})
    assert made == PLACE.replace("old", "new\nrows")


def test_every_table_has_one_place() -> None:
    texts = [path.read_text("utf-8") for path in firmware_page.PAGES]
    places = {name: sum(text.count(f"<!-- table: {name} -->\n") for text in texts) for name in firmware_page.TABLES}
    assert set(places.values()) == {1}, places


def test_the_benchmarks_leave_the_machine_code_as_it_is() -> None:
    assert page(f"old rows\n{BELOW}{PLACE}").endswith(BELOW + PLACE)
    assert BELOW not in page("old rows\n")
    assert BELOW in firmware_page.PAGES[1].read_text("utf-8")
