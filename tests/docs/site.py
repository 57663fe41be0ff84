"""The documents as a site: a hook of mkdocs, and a check of every link in what was built.

    python -m tests.docs.site        build the site into build/site, strictly, and follow every link in it

The files of the root (README.md as the first page, SAFETY.md, ...) join the site. A link from a page to a file that is
no page, code or a test, leads to that file's text on the site.
"""

import logging
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
OF_ROOT = {"README.md": "index.md"} | {name: name for name in ("SAFETY.md", "CONTRIBUTING.md", "CHANGELOG.md")}
_LINK = re.compile(r"(\]\()(?!https?:|#)([^)\s#]+)")


def page_of(document: str) -> str:
    """Where a document, by its path from the root, stands in the site."""
    return OF_ROOT.get(document) or document.removeprefix("docs/")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Write out the folders of the navigation."""
    for section in config.nav or []:
        for title, entries in section.items():
            if isinstance(entries, list):
                section[title] = [page for entry in entries for page in _pages(entry)]
    return config


def _pages(entry: str) -> list[str]:
    folder = ROOT / "docs" / entry
    return [entry + path.name for path in sorted(folder.glob("*.md"))] if entry.endswith("/") else [entry]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take in the root's documents, and the files that any document links to, as text."""
    documents = [*OF_ROOT, *(f"docs/{file.src_uri}" for file in files.documentation_pages())]
    for name, page in OF_ROOT.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text("utf-8")))
    for path in sorted({path for name in documents for path in _targets(name) if not _is_page(path)}):
        if (ROOT / path).is_file() and not path.startswith("docs/"):
            files.append(File.generated(config, f"files/{path}.txt", content=(ROOT / path).read_bytes()))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files into links between pages. One that leads nowhere stays, and mkdocs refuses it."""
    here = page.file.src_uri
    document = next((name for name, its_page in OF_ROOT.items() if its_page == here), f"docs/{here}")
    up = "../" * here.count("/")

    def linked(match: "re.Match[str]") -> str:
        path = _from_root(document, match[2])
        if (ROOT / path).is_dir():  # the first of its pages
            path = min((f"{path}/{page.name}" for page in (ROOT / path).glob("*.md")), default=path)
        if not (ROOT / path).is_file():
            return match[0]
        stays = _is_page(path) or path.startswith("docs/")
        return match[1] + up + (page_of(path) if stays else f"files/{path}.txt")

    text: str = _LINK.sub(linked, markdown)
    return text


def _targets(document: str) -> list[str]:
    text = (ROOT / document).read_text("utf-8")
    return [_from_root(document, link) for _, link in _LINK.findall(text)]


def _from_root(document: str, link: str) -> str:
    there = ((ROOT / document).parent / link).resolve()
    return str(there.relative_to(ROOT)) if there.is_relative_to(ROOT) else link


def _is_page(path: str) -> bool:
    return path in OF_ROOT or (path.startswith("docs/") and path.endswith(".md"))


class _BuiltPage(HTMLParser):
    """The links and anchors of one built page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what a link can go to, and where one goes."""
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value and not (tag == "link" and dict(attrs).get("rel") == "canonical"):
                self.links.append(value)


def broken(site: Path) -> list[str]:
    """Every link of a built site that leads to no file or no anchor. Other hosts are not asked."""
    pages = {path: _BuiltPage(path) for path in site.rglob("*.html") if path.name != "404.html"}
    wrong = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "mailto", "data"):
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            there = there / "index.html" if there.is_dir() else there
            if not there.is_file() or (parts.fragment and there in pages and _no(pages[there], parts.fragment)):
                wrong.append(f"{path.relative_to(site)}: {link}")
    return wrong


def _no(page: _BuiltPage, fragment: str) -> bool:
    return unquote(fragment) not in page.anchors and fragment not in page.anchors


def main() -> int:
    """Build, and follow the links."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    config = load_config(str(ROOT / "mkdocs.yml"))
    build(config)
    site = Path(config.site_dir)
    wrong = broken(site)
    print(*wrong, f"{len(list(site.rglob('*.html')))} pages in {site}, {len(wrong)} links lead nowhere", sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
