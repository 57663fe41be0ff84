"""The site's own check: a link to nowhere is noticed. CI runs it on the whole site (`python -m tests.docs.site`)."""

from pathlib import Path

import pytest

from tests.docs.site import broken


@pytest.mark.parametrize(
    ("link", "found"),
    [
        ("b.html#there", []),
        ("#here", []),
        ("folder/", []),
        ("https://example.org/", []),
        ("b.html#gone", ["a.html: b.html#gone"]),
        ("#gone", ["a.html: #gone"]),
        ("c.html", ["a.html: c.html"]),
    ],
)
def test_a_link_to_nowhere_is_noticed(tmp_path: Path, link: str, found: list[str]) -> None:
    (tmp_path / "a.html").write_text(f'<h1 id="here"></h1><a href="{link}"></a><img src="b.html">', "utf-8")
    (tmp_path / "b.html").write_text('<p id="there"></p>', "utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "index.html").write_text("", "utf-8")
    assert broken(tmp_path) == found
