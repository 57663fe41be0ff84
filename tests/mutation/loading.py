"""How a mutant gets into a process: a function's code exchanged, or a module imported from the changed text."""

import functools
import inspect
import sys
from collections.abc import Iterator, Mapping
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

OURS = ("stimctl", "firmware_sim", "stimlab", "benchmarks", "conftest", "tests.")


def module_name(file: str) -> str:
    """The dotted name that `file` is imported under."""
    return file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def imported() -> list[str]:
    """What of the project itself this process has imported, the mutation tests left out."""
    names = (name for name in sys.modules if not name.startswith("tests.mutation"))
    return [name for name in names if name.startswith(OURS)]


def outside() -> list[str]:
    """What this process has imported that is not the project's own."""
    return [name for name in list(sys.modules) if not name.startswith(OURS)]


# --- a module from another text -------------------------------------------------------------------------


class _Loader(SourceFileLoader):
    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.source, self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def __init__(self, sources: dict[str, tuple[Path, str]]) -> None:
        self.sources = sources

    def find_spec(self, fullname: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname not in self.sources:
            return None
        file, source = self.sources[fullname]
        return spec_from_file_location(fullname, file, loader=_Loader(fullname, str(file), source))


def import_from(root: Path, sources: Mapping[str, str]) -> None:
    """From now on these files under `root` are imported from these texts. Raises `RuntimeError` when it is too late."""
    known = {module_name(file): (root / file, source) for file, source in sources.items()}
    late = sorted(known.keys() & sys.modules.keys())
    if late:
        raise RuntimeError(f"imported already: {', '.join(late)}")
    sys.meta_path.insert(0, _Finder(known))


# --- a function's code ----------------------------------------------------------------------------------


def exchange(root: Path, file: str, source: str, function: str) -> None:
    """Give the imported function the code that it has in `source`. Raises `LookupError` when either is not there."""
    code = codes(compile(source, str(root / file), "exec", dont_inherit=True)).get(function)
    if code is None:
        raise LookupError(f"{file} has no function {function}")
    live = _live(module_name(file), function)
    if not code.co_freevars:
        # What was left out was the only use of the enclosing class or function.
        code = code.replace(co_freevars=live.__code__.co_freevars)
    live.__code__ = code


def codes(module: CodeType) -> dict[str, CodeType]:
    """The code of every function and method in a module, by qualified name."""
    return dict(_codes(module))


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if inner.co_flags & inspect.CO_OPTIMIZED:
                yield inner.co_qualname, inner
            else:
                yield from _codes(inner)


def _live(module: str, function: str) -> FunctionType:
    found: Any = sys.modules[module]
    for name in function.split("."):
        found = _bare(inspect.getattr_static(found, name))
    if not isinstance(found, FunctionType):
        raise LookupError(f"{module}.{function} is a {type(found).__name__}")
    return found


def _bare(found: Any) -> Any:
    """The function under a property, a class method or another wrapping."""
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, classmethod | staticmethod):
        found = found.__func__
    elif isinstance(found, functools.cached_property):
        found = found.func
    return inspect.unwrap(found) if callable(found) else found
