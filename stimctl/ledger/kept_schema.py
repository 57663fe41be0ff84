"""JSON Schemas that are kept in `docs/schema/`: written from the code, or checked to be what the code has."""

import json
import sys
from pathlib import Path
from typing import Any


def schema_of(document: type, title: str) -> dict[str, Any]:
    """A document's schema, draft 2020-12."""
    from pydantic import TypeAdapter

    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {**head, **TypeAdapter(document).json_schema(mode="serialization"), "title": title}


def text_of(schema: dict[str, Any]) -> str:
    """As it stands in its file."""
    return json.dumps(schema, indent=2) + "\n"


def keep(file: Path, text: str, module: str, arguments: list[str]) -> int:
    """Write the schema; with `--check` say whether the one that stands is this one. Returns the exit code."""
    if "--check" not in arguments:
        file.write_text(text, "utf-8")
        return 0
    if file.read_text("utf-8") == text:
        return 0
    sys.stderr.write(f"{file} is not what `python -m {module}` writes\n")
    return 1
