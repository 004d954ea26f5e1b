"""A bundle's command as a user types it: where the bundles are, what the words are, and how it is shown."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fire.parser import DefaultParseValue

from sectome.checks import InputError
from sectome.report.runs import PRETRAIN, SEGMENT

PYTHON: Final = (sys.executable,)
"""What the command's "python" is."""


def find_bundles(folder: str | Path) -> dict[str, Path]:
    """Return the absolute root of each bundle, by its name.

    Raises:
        InputError: if the folder does not hold both.
    """
    folder = Path(folder).resolve()
    roots = {name: folder / name for name in (PRETRAIN, SEGMENT)}
    if not all(root.is_dir() for root in roots.values()):
        raise InputError(f"the bundles {PRETRAIN} and {SEGMENT} were expected in {folder}, got none")
    return roots


def bundle_command(configs: Sequence[str], options: Sequence[str]) -> list[str]:
    """Return the words after "python" that run a bundle from its root.

    Args:
        configs: paths from the bundle's root, each changing those before it.
        options: words such as "--epochs", "3".
    """
    return ["-m", "monai.bundle", "run", "--config_file", f"[{','.join(map(repr, configs))}]", *options]


def as_options(overrides: Mapping[str, Any]) -> list[str]:
    """Return overrides as words: {"epochs": 3} as "--epochs", "3"."""
    return [word for key, value in overrides.items() for word in (f"--{key}", _word(value))]


def bundle_environment() -> dict[str, str]:
    """Return this process's environment for a bundle; what MONAI warns of in its own configs is not for users."""
    return {**os.environ, "PYTHONWARNINGS": "ignore"}


def shown(command: Sequence[str]) -> str:
    """Return a bundle's command as a line for a shell."""
    return " ".join(["python", *(_quoted(word) for word in command)])


def _word(value: Any) -> str:
    """Return a value as the command line reads it back: text as it is, where that stays text."""
    plain = isinstance(value, (str, os.PathLike)) and DefaultParseValue(str(value)) == str(value)
    return str(value) if plain else repr(value)


def _quoted(word: str) -> str:
    # Lists of configs hold single quotes: double ones around them read as MONAI's own documentation writes them.
    return f'"{word}"' if "'" in word and not set('"$`\\!') & set(word) else shlex.quote(word)
