"""A bundle's command line as a user would type it, and where the bundles are."""

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
"""The command that replaces "python"."""


def find_bundles(folder: str | Path) -> dict[str, Path]:
    """Return the absolute root folder of each bundle by name.

    Raises:
        InputError: if the folder does not hold both bundles.
    """
    folder = Path(folder).resolve()
    roots = {name: folder / name for name in (PRETRAIN, SEGMENT)}
    if not all(root.is_dir() for root in roots.values()):
        raise InputError(f"expected the bundles {PRETRAIN} and {SEGMENT} in {folder}, got none")
    return roots


def bundle_command(configs: Sequence[str], options: Sequence[str]) -> list[str]:
    """Return the arguments after "python" that run a bundle from its root folder.

    Args:
        configs: paths relative to the bundle's root, each overriding those before it.
        options: arguments such as "--epochs", "3".
    """
    return ["-m", "monai.bundle", "run", "--config_file", f"[{','.join(map(repr, configs))}]", *options]


def as_options(overrides: Mapping[str, Any]) -> list[str]:
    """Return overrides as arguments: {"epochs": 3} as "--epochs", "3"."""
    return [word for key, value in overrides.items() for word in (f"--{key}", _word(value))]


def bundle_environment() -> dict[str, str]:
    """Return the environment of a bundle's process; it hides warnings, since MONAI warns about its own configs."""
    return {**os.environ, "PYTHONWARNINGS": "ignore"}


def shown(command: Sequence[str]) -> str:
    """Return a bundle's command as a shell command line."""
    return " ".join(["python", *(_quoted(word) for word in command)])


def _word(value: Any) -> str:
    """Return a value as the command line will parse it back: text as is if it stays text, else its repr."""
    plain = isinstance(value, (str, os.PathLike)) and DefaultParseValue(str(value)) == str(value)
    return str(value) if plain else repr(value)


def _quoted(word: str) -> str:
    # Lists of configs contain single quotes, so quote them with double ones, as MONAI's documentation does.
    return f'"{word}"' if "'" in word and not set('"$`\\!') & set(word) else shlex.quote(word)
