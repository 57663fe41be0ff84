"""Reads TOML that a person wrote into a pydantic model, and reports every problem at once with its line.

What pydantic says is turned into words for the person who wrote the file: where it stands, what stands
there, and what is allowed. Profiles and prescriptions are both read here.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path as FilePath
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from stimctl.errors import InputInvalid, Problem, not_toml
from stimctl.look import refuse_pipe
from stimctl.profile.lines import Path, path_text, read_lines
from stimctl.profile.sourced import SLUG_MEANING

MAX_BYTES = 256 * 1024  # a file that a person writes is far smaller

_FOREIGN_DIGITS = re.compile(r"=\s*[+-]?[0-9.]*[^\x00-\x7f]")
_DEEP_NAME = re.compile(r"""(?<![\w"'-])(?:[\w"'-]++[ \t]*+\.[ \t]*+){100}""")

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class TomlText:
    """A TOML file as read: its values, which line says what, and the SHA-256 over its bytes.

    Of a profile that takes in shared parts `common` is their file, and `moved` says for each value that came from
    there where it stands in it; `sha256` is then over both files.
    """

    source: str
    sha256: str
    values: dict[str, Any]
    lines: Mapping[str, int]  # by path as `path_text` writes it
    content: bytes = field(repr=False)
    numerals: Mapping[str, str]  # numbers that are not written in plain decimal digits, as they stand
    common: "TomlText | None" = None
    moved: Mapping[str, str] = field(default_factory=dict)

    def line(self, field: str) -> int | None:
        """The line of a field, or of the nearest table around it."""
        while field not in self.lines and field:
            field = field.rpartition("[" if field.endswith("]") else ".")[0]
        return self.lines.get(field)

    def located(self, problems: Iterable[Problem]) -> list[Problem]:
        """The problems with their lines, in order of line; those of the shared file say so."""
        return sorted((self._located(problem) for problem in problems), key=lambda problem: problem.line or 0)

    def _located(self, problem: Problem) -> Problem:
        if problem.line:
            return problem
        for here, there in self.moved.items():
            rest = problem.field.removeprefix(here)
            if self.common is not None and rest != problem.field and rest[:1] in ("", ".", "["):
                shared = f"{there}{rest}"
                return replace(problem, field=f"{self.common.source}: {shared}", line=self.common.line(shared))
        return replace(problem, line=self.line(problem.field))

    def invalid(self, problems: Iterable[Problem]) -> InputInvalid:
        """The error that lists these problems."""
        return InputInvalid(self.source, self.located(problems))

    def numeral_problems(self) -> list[Problem]:
        """Numbers that TOML allows and a person may read otherwise: `2_5` is 25, and so is `0x19`."""
        allowed = "write the number in plain decimal digits, as in 25 or 0.5"
        return [Problem(field, written, allowed) for field, written in self.numerals.items()]


def read_file(path: FilePath, *, named: bool = True) -> TomlText:
    """Read a TOML file that a person `named`, or a folder has. Raises `InputInvalid`: not to be read, or no TOML."""
    try:
        if not named:
            refuse_pipe(path)
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as failure:
        raise InputInvalid(str(path), [Problem("file", None, failure.strerror or str(failure))]) from None
    try:
        return parse(content, str(path))
    except InputInvalid as invalid:
        if path.name.startswith("._"):  # what macOS keeps beside each file on a foreign volume
            allowed = f"is what macOS keeps beside {path.name[2:]}, and not that file: name the other"
            raise InputInvalid(str(path), [Problem("file", None, allowed)]) from None
        raise invalid


def parse(content: bytes, source: str) -> TomlText:
    """The bytes of a TOML file, a byte order mark allowed. Raises `InputInvalid` with the line of what is no TOML."""
    if len(content) > MAX_BYTES:
        raise InputInvalid(source, [Problem("file", None, f"must be at most {MAX_BYTES} bytes")])
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputInvalid(source, [Problem("text", None, "is UTF-16: save it as UTF-8", 1)])
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
        if _DEEP_NAME.search(text):
            raise RecursionError  # tomllib reads it, but takes the square of its length
        values = tomllib.loads(text)
        read = read_lines(text)
    except UnicodeDecodeError as failure:
        line = content.count(b"\n", 0, failure.start) + 1
        raise InputInvalid(source, [Problem("text", None, "must be UTF-8", line)]) from None
    except RecursionError:
        raise InputInvalid(source, [Problem("text", None, "is nested too deeply")]) from None
    except ValueError as failure:  # TOMLDecodeError is one; so is a number of thousands of digits
        raise InputInvalid(source, [_syntax_problem(failure, content.decode("utf-8-sig"))]) from None
    lines = {path_text(path): line for path, line in read.lines.items()}
    numerals = {path_text(path): written for path, written in read.numerals.items()}
    return TomlText(source, sha256(content).hexdigest(), values, lines, content, numerals)


def _syntax_problem(failure: ValueError, text: str) -> Problem:
    found = not_toml(failure, text)
    if "integer string conversion" in str(failure):
        return Problem("number", None, "has thousands of digits: no value here has more than 20", found.line)
    if "\r" in text.replace("\r\n", ""):
        more = "it has line ends of a carriage return alone: save it with line feeds"
    elif found.line and _FOREIGN_DIGITS.search(text.split("\n")[found.line - 1]):
        more = "a number takes the digits 0 to 9, and text takes quotation marks"
    else:
        return found
    return replace(found, allowed=f"{found.allowed}; {more}")


def check(model: type[M], values: Mapping[str, Any]) -> tuple[list[Problem], M | None]:
    """The values as `model`, or what is wrong with them."""
    try:
        return [], model.model_validate(_with_tuples(values))
    except ValidationError as failure:
        return [_problem(model, error) for error in failure.errors(include_url=False) if not _follows(error)], None
    except RecursionError:
        return [Problem("file", None, "is nested too deeply")], None


def _follows(error: ErrorDetails) -> bool:
    """Whether it only follows from others: a list whose every element is wrong is not an empty one."""
    return error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]


def _with_tuples(value: Any) -> Any:
    """Lists as tuples, all the way down: strict models hold tuples, TOML gives lists."""
    if isinstance(value, Mapping):
        return {key: _with_tuples(item) for key, item in value.items()}
    return tuple(_with_tuples(item) for item in value) if isinstance(value, list | tuple) else value


# What pydantic's kinds of error mean to the person who wrote the file.
_WORDS = {
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list in [ ]",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "missing": "is missing",
    "string_pattern_mismatch": "must be written otherwise",
}


_LISTED = ("enum", "literal_error")


def _problem(model: type[BaseModel], error: ErrorDetails) -> Problem:
    kind, path = error["type"], error["loc"]
    value = None if kind == "missing" or isinstance(error["input"], Mapping | BaseModel) else error["input"]
    owner = _model_at(model, path[:-1])
    if kind == "extra_forbidden":
        return Problem(path_text(path), value, _not_a_field(str(path[-1]), owner))
    allowed = "must be filled in" if value == "?" else _WORDS.get(kind) or _own_words(error)
    if kind == "float_type" and type(value) is int:  # of more digits than a float can hold
        allowed = "is beyond anything that can be"
    meaning = _meaning(owner, path[-1]) if path else None
    if path[-1:] == ("[key]",):  # pydantic's place of a name in a table of names
        path, meaning = path[:-1], SLUG_MEANING
    if meaning and meaning.startswith("one of ") and kind in _LISTED:
        meaning = None  # pydantic's own words list them already
    return Problem(path_text(path) or "file", value, f"{allowed} ({meaning})" if meaning else allowed)


def _own_words(error: ErrorDetails) -> str:
    if error["type"] in _LISTED:
        return f"must be {error['ctx']['expected']}"
    if error["type"] == "too_long":
        return f"must have at most {error['ctx']['max_length']} elements, and has {error['ctx']['actual_length']}"
    return error["msg"].removeprefix("Value error, ").replace("Input should be ", "must be ", 1)


def _names(model: type[BaseModel]) -> dict[str, str | None]:
    """The keys that a table of this model may have, with what each means."""
    return {field.alias or name: field.description for name, field in model.model_fields.items()}


def _not_a_field(name: str, owner: type[BaseModel] | None) -> str:
    names = list(_names(owner)) if owner else []
    close = get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"is not a field here; {hint}fields are {', '.join(names)}"


def _meaning(owner: type[BaseModel] | None, name: str | int) -> str | None:
    return _names(owner).get(str(name)) if owner else None


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """The model of the table at `path`: what its fields are."""
    current: Any = model
    named = False
    for part in path:
        if isinstance(part, int) or named:
            named = False
            continue  # an element: its type was found with its list, or with its table of names
        fields = {field.alias or name: field for name, field in current.model_fields.items()}
        current = model_in(fields[part].annotation) if part in fields else None
        named = part in fields and get_origin(fields[part].annotation) is dict
        if current is None:
            return None
    return current if isinstance(current, type) else None


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside `X | None`, `tuple[X, ...]` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := model_in(inner))), None)
