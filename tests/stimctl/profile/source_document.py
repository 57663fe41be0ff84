"""The source document's sentences that the profiles quote, each under its section, and whether a quote stands there.

The document itself is not in the repository. `source_sentences.toml` keeps its hash, its sections in their order and
the sentences that are quoted; the tests hold every quote against them, and against the whole document where
STIMCTL_SOURCE_DOCUMENT names it. After a change of the profiles:

    python -m tests.stimctl.profile.source_document DOCUMENT     renews source_sentences.toml
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from stimctl.profile import Profile, Range, Sourced, load_profiles, packaged_folder
from stimctl.profile.model import ProfilePoint, values

SENTENCES = Path(__file__).with_name("source_sentences.toml")
_SENTENCE = re.compile(r".+?(?:[.!?](?=\s)|$)")


@dataclass(frozen=True)
class Source:
    """A document: its title, its hash, and the text of each section."""

    title: str
    sha256: str
    sections: Mapping[str, str]  # lines joined by line feeds


@dataclass(frozen=True)
class Quoted:
    """One value of a profile that quotes the source: where it stands, what it holds, and what is quoted."""

    path: str
    part: Any
    section: str

    @property
    def quote(self) -> str:
        """The source's words."""
        return str(self.part.quote)


def kept() -> Source:
    """The sentences that are kept in the repository."""
    data = tomllib.loads(SENTENCES.read_text(encoding="utf-8"))
    sections = {each["heading"]: "\n".join(each["sentences"]) for each in data["sections"]}
    return Source(data["title"], data["sha256"], sections)


def whole(document: Path, headings: list[str]) -> Source:
    """The document itself, cut at its headings, which stand alone on a line, in this order."""
    content = document.read_bytes()
    lines = content.decode().splitlines()
    starts, at = [], 0
    for heading in headings:
        at = lines.index(heading, at) + 1
        starts.append(at)
    texts = ["\n".join(lines[begin : end - 1]) for begin, end in pairwise([*starts, len(lines) + 1])]
    return Source(lines[0], sha256(content).hexdigest(), dict(zip(headings, texts, strict=True)))


def profiles() -> dict[str, Profile]:
    """The shipped profiles that have a source."""
    shipped = load_profiles(packaged_folder())
    return {name: profile for name, profile in shipped.items() if profile.source is not None}


def quoted(profile: Profile) -> Iterator[Quoted]:
    """Everything in a profile that has a quote, whatever its origin."""
    assert profile.source is not None
    for path, part in values(profile):
        if getattr(part, "quote", None):
            yield Quoted(path, part, getattr(part, "section", None) or profile.source.section)


def problems(profile: Profile, source: Source) -> list[str]:
    """What does not hold between a profile and its source."""
    named = profile.source
    assert named is not None
    found = []
    if (named.title, named.sha256) != (source.title, source.sha256):
        found.append(f"{profile.id}: its source is {named.title!r}, {named.sha256}")
    for each in quoted(profile):
        text = source.sections.get(each.section)
        if text is None:
            found.append(f"{profile.id} {each.path}: the source has no section {each.section!r}")
        elif each.quote not in text:
            found.append(f"{profile.id} {each.path}: not under {each.section!r}: {each.quote!r}")
        elif isinstance(each.part, ProfilePoint) and each.part.code not in sentence_of(source, each):
            found.append(f"{profile.id} {each.path}: {each.part.code} is not in the sentence that it quotes")
        found += [f"{profile.id} {each.path}: {wanted} is not in its quote" for wanted in missing(each)]
    return found


def missing(each: Quoted) -> list[str]:
    """Figures and points of a value that its quote does not have."""
    said = each.part.value if isinstance(each.part, Sourced) else None
    wanted: list[str] = []
    if isinstance(said, Range):
        wanted = [f"{bound:g}" for bound in (said.low, said.high)]
    elif isinstance(said, tuple):
        wanted = [point for pair in said for point in pair]
    numbers = [f"{float(number):g}" for number in re.findall(r"\d+(?:\.\d+)?", each.quote)]
    return [each_ for each_ in wanted if each_ not in numbers and each_ not in each.quote]


def sentences_of(source: Source, quotes: list[str], section: str) -> list[str]:
    """The sentences of a section that these quotes are taken from, an item of a list whole, in the section's order."""
    found = []
    for line in source.sections[section].split("\n"):
        if line.startswith("- ") and any(quote in line for quote in quotes):
            found.append(line.strip())
            continue
        spans = [match.span() for match in _SENTENCE.finditer(line)]
        wanted = [(line.index(quote), line.index(quote) + len(quote)) for quote in quotes if quote in line]
        runs = [(min(a for a, b in spans if b > begin), max(b for a, b in spans if a < end)) for begin, end in wanted]
        merged: list[tuple[int, int]] = []
        for begin, end in sorted(runs):
            if merged and begin < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((begin, end))
        found += [line[begin:end].strip() for begin, end in merged]
    return found


def sentence_of(source: Source, each: Quoted) -> str:
    """The sentence that a quote is taken from."""
    return next(line for line in source.sections[each.section].split("\n") if each.quote in line)


def renewed(document: Path, headings: list[str]) -> str:
    """The text of `source_sentences.toml` for the profiles as they are."""
    source = whole(document, headings)
    wanted: dict[str, list[str]] = {heading: [] for heading in headings}
    for profile in profiles().values():
        for each in quoted(profile):
            wanted.setdefault(each.section, []).append(each.quote)
    lines = [
        "# Written by python -m tests.stimctl.profile.source_document DOCUMENT: every section of the source document,",
        "# in its order, and of each the sentences, or the whole items of lists, that a profile quotes.",
        "",
        f'title = "{source.title}"',
        f'sha256 = "{source.sha256}"',
    ]
    for heading in headings:
        kept_sentences = sentences_of(source, wanted[heading], heading)
        lines += ["", "[[sections]]", f'heading = "{heading}"']
        if not kept_sentences:
            lines.append("sentences = []")
            continue
        lines += ["sentences = [", *(f"    {_toml(sentence)}," for sentence in kept_sentences), "]"]
    return "\n".join(lines) + "\n"


def _toml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


if __name__ == "__main__":
    SENTENCES.write_text(renewed(Path(sys.argv[1]), list(kept().sections)), encoding="utf-8")
