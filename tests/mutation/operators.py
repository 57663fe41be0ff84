"""What is changed: every small, wrong edit that is made to a source text, one at a time.

Works on the text that a person reads, with positions from `ast`, so that a mutant can be shown as the line it changes.
Not changed: messages and other text, annotations, decorators, assertions (they say what a type checker cannot know).
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

_COMPARISONS: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<=", ">="),
    ast.LtE: ("<", ">"),
    ast.Gt: (">=", "<="),
    ast.GtE: (">", "<"),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
}
_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"),
    ast.Pow: ("**", "*"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
_SWAPPED_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}
_MEMBER = ast.Name | ast.Attribute | ast.Starred
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Change:
    """Bytes `start` to `end` of the source become `text`. `function` is empty for what runs at import."""

    start: int
    end: int
    text: str
    function: str
    lines: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the program a node stands."""

    scope: tuple[str, ...] = ()
    function: str = ""
    returns_bool: bool = False
    statement: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class _Source:
    data: bytes
    starts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.starts = [0, *(match.end() for match in re.finditer(rb"\n", self.data))]

    def at(self, line: int, column: int) -> int:
        return self.starts[line - 1] + column

    def begin(self, node: ast.expr | ast.stmt) -> int:
        return self.at(node.lineno, node.col_offset)

    def finish(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.at(node.end_lineno, node.end_col_offset)

    def text(self, node: ast.expr | ast.stmt) -> str:
        return self.data[self.begin(node) : self.finish(node)].decode()


def changes(source: str) -> list[Change]:
    """Every change to `source`, in its order; no two give the same text."""
    text = _Source(source.encode())
    found = {(made.start, made.end, made.text): made for made in _Finder(text).body(ast.parse(source).body, _Place())}
    return sorted(found.values(), key=lambda made: (made.start, made.end, made.text))


class _Finder:
    def __init__(self, source: _Source) -> None:
        self.source = source

    # --- statements ---------------------------------------------------------------------------------

    def body(self, statements: list[ast.stmt], place: _Place) -> Iterator[Change]:
        for statement in statements:
            yield from self.statement(statement, place)

    def statement(self, node: ast.stmt, place: _Place) -> Iterator[Change]:
        if isinstance(node, _FUNCTION):
            yield from self._function(node, place)
        elif isinstance(node, ast.ClassDef):
            yield from self.body(node.body, replace(place, scope=(*place.scope, node.name)))
        elif not isinstance(node, ast.Assert | ast.Import | ast.ImportFrom):
            place = replace(place, statement=_header(node))
            yield from self._whole(node, place)
            yield from self._parts(node, place)

    def _function(self, node: _FUNCTION, place: _Place) -> Iterator[Change]:
        name = place.function or ".".join((*place.scope, node.name))
        outside = replace(place, statement=(node.lineno, node.lineno))
        for default in (*node.args.defaults, *(given for given in node.args.kw_defaults if given is not None)):
            yield from self.expression(default, outside)
        returns_bool = isinstance(node.returns, ast.Name) and node.returns.id == "bool"
        yield from self.body(node.body, replace(place, function=name, returns_bool=returns_bool))

    def _whole(self, node: ast.stmt, place: _Place) -> Iterator[Change]:
        """The statement left out, or made to give something else."""
        yields = isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield | ast.YieldFrom)
        if yields:
            yield self._change(node, "yield from ()", place)
        elif _can_go(node) and place.function:
            yield self._change(node, "pass", place)
        if isinstance(node, ast.Return) and node.value is not None and not _is_switch(node.value):
            said = self.source.text(node.value)
            yield self._change(node.value, f"not ({said})" if place.returns_bool else "None", place)
        if isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
            was, now = _ARITHMETIC[type(node.op)]
            yield from self._between(node.target, node.value, f"{was}=", (f"{now}=",), place)

    def _parts(self, node: ast.stmt, place: _Place) -> Iterator[Change]:
        for name, value in ast.iter_fields(node):
            if name == "annotation":
                yield from self._annotation(value, place)
            elif isinstance(value, ast.expr):
                yield from self.expression(value, place, condition=name == "test")
            elif isinstance(value, list):
                yield from self._list(value, place)

    def _list(self, values: list[ast.AST], place: _Place) -> Iterator[Change]:
        for value in values:
            if isinstance(value, ast.stmt):
                yield from self.statement(value, place)
            elif isinstance(value, ast.expr):
                yield from self.expression(value, place)
            elif isinstance(value, ast.ExceptHandler):
                yield from self.body(value.body, place)
            elif isinstance(value, ast.withitem):
                yield from self.expression(value.context_expr, place)

    def _annotation(self, node: ast.expr, place: _Place) -> Iterator[Change]:
        """Only figures and switches: of an annotation, a file's reader obeys these."""
        for inside in ast.walk(node):
            if isinstance(inside, ast.Constant) and not place.function:
                yield from self._constant(inside, place)

    # --- expressions --------------------------------------------------------------------------------

    def expression(self, node: ast.expr, place: _Place, *, condition: bool = False) -> Iterator[Change]:
        if isinstance(node, ast.JoinedStr) or _is_store(node):
            return
        if condition:
            yield from (self._change(node, said, place) for said in ("True", "False") if said != self.source.text(node))
        yield from self._here(node, place)
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                yield from self.expression(value, place, condition=name == "test")
            elif isinstance(value, list):
                for part in value:
                    yield from self._part(part, place)

    def _part(self, part: ast.AST, place: _Place) -> Iterator[Change]:
        if isinstance(part, ast.expr):
            yield from self.expression(part, place)
        elif isinstance(part, ast.keyword):
            yield from self.expression(part.value, place)
        elif isinstance(part, ast.comprehension):
            yield from self.expression(part.iter, place)
            for test in part.ifs:
                yield from self.expression(test, place, condition=True)

    def _here(self, node: ast.expr, place: _Place) -> Iterator[Change]:
        if isinstance(node, ast.Compare):
            for left, op, right in zip((node.left, *node.comparators), node.ops, node.comparators, strict=False):
                yield from self._between(left, right, None, _COMPARISONS[type(op)], place)
        elif isinstance(node, ast.BoolOp):
            yield from self._joined(node, place)
        elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            was, now = _ARITHMETIC[type(node.op)]
            yield from self._between(node.left, node.right, was, (now,), place)
        elif isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.UAdd):
            yield self._change(node, self.source.text(node.operand), place)
        elif isinstance(node, ast.Constant):
            yield from self._constant(node, place)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SWAPPED_CALLS:
            yield self._change(node.func, _SWAPPED_CALLS[node.func.id], place)
        elif isinstance(node, ast.Dict):
            yield from self._entries(node, place)
        elif isinstance(node, ast.Tuple | ast.Set | ast.List) and not place.function:
            yield from (self._change(part, "*()", place) for part in node.elts if isinstance(part, _MEMBER))
        elif isinstance(node, ast.Subscript) and _is_text(node.slice):
            yield self._key(node.slice, place)

    def _entries(self, node: ast.Dict, place: _Place) -> Iterator[Change]:
        """A table's entries: left out, under another name, or with the next entry's answer."""
        answers = [value for value in node.values if isinstance(value, ast.Attribute)]
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                yield self._change(value, "{}", place)
            elif _is_text(key):
                yield self._key(key, place)
            else:
                span = self.source.begin(key), self.source.finish(value)
                yield Change(*span, "**{}", place.function, place.statement)
            if value in answers:
                others = answers[answers.index(value) :] + answers
                other = next((one for one in others if ast.dump(one) != ast.dump(value)), None)
                if other is not None:
                    yield self._change(value, self.source.text(other), place)

    def _joined(self, node: ast.BoolOp, place: _Place) -> Iterator[Change]:
        """Each part taken out, and all of them joined the other way."""
        both = isinstance(node.op, ast.And)
        was, now, neutral = ("and", "or", "True") if both else ("or", "and", "False")
        for value in node.values:
            yield self._change(value, neutral, place)
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield from self._between(left, right, was, (now,), place)

    def _constant(self, node: ast.Constant, place: _Place) -> Iterator[Change]:
        value = node.value
        if isinstance(value, bool):
            yield self._change(node, str(not value), place)
        elif isinstance(value, int):
            for whole in (value + 1, value - 1):
                yield self._change(node, str(whole) if whole >= 0 else f"({whole})", place)
        elif isinstance(value, float):
            for changed in (value * 1.01, value * 0.99) if value else (1.0, -1.0):
                yield self._change(node, repr(changed), place)

    def _key(self, node: ast.expr, place: _Place) -> Change:
        assert isinstance(node, ast.Constant)
        return self._change(node, repr(f"{node.value!s}~"), place)

    # --- text ---------------------------------------------------------------------------------------

    def _between(
        self, left: ast.expr, right: ast.expr, was: str | None, others: tuple[str, ...], place: _Place
    ) -> Iterator[Change]:
        """Change the operator that stands between two parts: the brackets and comments round it stay."""
        begin, finish = self.source.finish(left), self.source.begin(right)
        between = self.source.data[begin:finish].decode()
        pattern = re.escape(was) if was is not None else r"is\s+not|not\s+in|is|in|[<>=!]=|[<>]"
        match = re.search(pattern, between)
        assert match is not None
        for text in others:
            yield Change(begin + match.start(), begin + match.end(), text, place.function, place.statement)

    def _change(self, node: ast.expr | ast.stmt, text: str, place: _Place) -> Change:
        return Change(self.source.begin(node), self.source.finish(node), text, place.function, place.statement)


def _header(node: ast.stmt) -> tuple[int, int]:
    """The lines of a statement, or of what stands before its body."""
    body = getattr(node, "body", None)
    last = body[0].lineno - 1 if body else node.end_lineno
    return node.lineno, max(node.lineno, last or 0)


def _can_go(node: ast.stmt) -> bool:
    """Whether leaving the statement out still makes a program: a call, a raise, a jump, a change of something held."""
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets)
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    bare_return = isinstance(node, ast.Return) and node.value is None
    return bare_return or isinstance(node, ast.Raise | ast.Continue | ast.Break | ast.Delete)


def _is_switch(node: ast.expr) -> bool:
    """None, True or False: what has no other answer, or is turned over as a constant."""
    return isinstance(node, ast.Constant) and (node.value is None or isinstance(node.value, bool))


def _is_store(node: ast.expr) -> bool:
    """Names that are given a value, or a tuple of them."""
    return isinstance(node, ast.Name | ast.Tuple | ast.List) and isinstance(node.ctx, ast.Store)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
