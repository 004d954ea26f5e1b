"""JSON files: errors on reading name the file and the place, and files are written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sectome.checks import InputError
from sectome.replace import replacing


def read_json_object(path: Path, what: str) -> dict[str, Any]:
    """Return the object in a JSON file.

    Args:
        path: the file, which exists.
        what: what it should hold, for the message.

    Raises:
        InputError: if the file holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} must hold {what} as JSON, got: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold {what} as a JSON object, got {type(content).__name__}")
    return content


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file written by a run, an empty one if there is no file.

    Raises:
        InputError: if the file holds something else.
    """
    return read_json_object(path, "the output of a run") if path.is_file() else {}


def as_json(content: Any) -> Any:
    """Return values as they come back from a JSON file, for comparisons: tuples become lists."""
    return json.loads(json.dumps(content))


def write_json(content: Any, path: str | Path) -> None:
    """Write indented JSON; the file appears once it is complete."""
    with replacing(Path(path)) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
